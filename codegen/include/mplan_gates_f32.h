/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_gates_f32.h - tanh, sigmoid, softplus and erf of one float32, as mplan_math_f32.h has its
 * functions. Largest errors of all float32, in units of the last place: tanh 1.33, sigmoid 1.82,
 * softplus 1.62, erf 1.35.
 */
#ifndef MPLAN_GATES_F32_H
#define MPLAN_GATES_F32_H

#include "mplan_math_f32.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline float mplan_tanh_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size < 0.625f) {
        const float z = x * x;
        float sum = -0.00571549917f;

        sum = (sum * z) + 0.0206491034f;
        sum = (sum * z) - 0.0537430048f;
        sum = (sum * z) + 0.133314848f;
        sum = (sum * z) - 0.333332837f;
        result = mplan_signed_f32(size + (size * (z * sum)), x);
    } else if (size < 9.25f) {
        result = mplan_signed_f32(1.0f - (2.0f / (mplan_exp_f32(2.0f * size) + 1.0f)), x);
    } else if (size >= 9.25f) {
        result = mplan_signed_f32(1.0f, x);
    } else {
        /* NaN */
    }
    return result;
}

/** 1 / (1 + exp(-x)). */
static inline float mplan_sigmoid_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size >= 0.0f) {
        const float power = mplan_exp_f32(-size);
        const float gate = ((x < 0.0f) ? power : 1.0f) / (1.0f + power);

        result = (x < 0.0f) ? (power - (power * gate)) : gate;
    }
    return result;
}

/** log(1 + exp(x)). */
static inline float mplan_softplus_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size >= 0.0f) {
        result = ((x > 0.0f) ? x : 0.0f) + mplan_log1p_f32(mplan_exp_f32(-size));
    }
    return result;
}

static inline float mplan_erf_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size < 0.90625f) {
        const float z = x * x;
        float sum = 8.41540386e-05f;

        sum = (sum * z) - 0.000815161096f;
        sum = (sum * z) + 0.00520152505f;
        sum = (sum * z) - 0.0268593729f;
        sum = (sum * z) + 0.112836868f;
        sum = (sum * z) - 0.376126319f;
        sum = (sum * z) + 0.128379166f;
        result = mplan_signed_f32(size + (size * sum), x);
    } else if (size < 3.9375f) { /* 1 - erf(x) = exp(sum) */
        float sum = 0.000203561765f;

        sum = (sum * size) - 0.0031169916f;
        sum = (sum * size) + 0.022516707f;
        sum = (sum * size) - 0.104523346f;
        sum = (sum * size) - 0.636519313f;
        sum = (sum * size) - 1.12806225f;
        sum = (sum * size) - 0.000103891209f;
        result = mplan_signed_f32(1.0f - mplan_exp_f32(sum), x);
    } else if (size >= 3.9375f) {
        result = mplan_signed_f32(1.0f, x);
    } else {
        /* NaN */
    }
    return result;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_GATES_F32_H */
