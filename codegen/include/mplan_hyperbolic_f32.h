/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_hyperbolic_f32.h - tan, asin, acos, sinh, cosh and their inverses of one float32, of the
 * functions of mplan_math_f32.h and mplan_trig_f32.h. Largest errors that 4 million float32
 * show, in units of the last place: asinh 1.7, atanh 1.9, acos and acosh 2.1, asin 2.4, sinh and
 * cosh 2.6, tan 3.6.
 */
#ifndef MPLAN_HYPERBOLIC_F32_H
#define MPLAN_HYPERBOLIC_F32_H

#include "mplan_math_f32.h"
#include "mplan_trig_f32.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline float mplan_tan_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size <= 3.40282347e+38f) {
        uint32_t quadrant;
        const float r = mplan_quarter_f32(size, &quadrant);

        result = mplan_sin_parts_f32(r, quadrant) / mplan_sin_parts_f32(r, quadrant + 1U);
        result = (mplan_bits_f32(x) != mplan_bits_f32(size)) ? -result : result;
    }
    return result;
}

static inline float mplan_asin_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size <= 1.0f) {
        const float beside = mplan_sqrt_f32((1.0f - size) * (1.0f + size));

        result = mplan_signed_f32(mplan_atan_f32(size / beside), x);
    }
    return result;
}

static inline float mplan_acos_f32(float x)
{
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (mplan_abs_f32(x) <= 1.0f) {
        result = 2.0f * mplan_atan_f32(mplan_sqrt_f32((1.0f - x) / (1.0f + x)));
    }
    return result;
}

static inline float mplan_sinh_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size < 10.0f) {
        const float grown = mplan_expm1_f32(size);

        result = mplan_signed_f32(0.5f * (grown + (grown / (grown + 1.0f))), x);
    } else if (size >= 10.0f) {
        const float root = mplan_exp_f32(0.5f * size);

        result = mplan_signed_f32((0.5f * root) * root, x);
    } else {
        /* NaN */
    }
    return result;
}

static inline float mplan_cosh_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size < 10.0f) {
        const float power = mplan_exp_f32(size);

        result = 0.5f * (power + (1.0f / power));
    } else if (size >= 10.0f) {
        const float root = mplan_exp_f32(0.5f * size);

        result = (0.5f * root) * root;
    } else {
        /* NaN */
    }
    return result;
}

static inline float mplan_asinh_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size < 4096.0f) {
        const float square = size * size;
        const float more = square / (1.0f + mplan_sqrt_f32(square + 1.0f));

        result = mplan_signed_f32(mplan_log1p_f32(size + more), x);
    } else if (size >= 4096.0f) {
        result = mplan_signed_f32(mplan_log_f32(size) + 0.693147182f, x);
    } else {
        /* NaN */
    }
    return result;
}

static inline float mplan_acosh_f32(float x)
{
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (x >= 4096.0f) {
        result = mplan_log_f32(x) + 0.693147182f;
    } else if (x >= 1.0f) {
        const float above = x - 1.0f;

        result = mplan_log1p_f32(above + mplan_sqrt_f32(above * (above + 2.0f)));
    } else {
        /* NaN */
    }
    return result;
}

static inline float mplan_atanh_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size <= 1.0f) {
        const float ratio = (2.0f * size) / (1.0f - size);

        result = mplan_signed_f32(0.5f * mplan_log1p_f32(ratio), x);
    }
    return result;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_HYPERBOLIC_F32_H */
