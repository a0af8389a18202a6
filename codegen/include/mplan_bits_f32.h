/* SPDX-License-Identifier: 0BSD */
/* mplan_bits_f32.h - float32 by its bits: sign, powers of 2, whole numbers. */
#ifndef MPLAN_BITS_F32_H
#define MPLAN_BITS_F32_H

#include <string.h>

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_NAN_BITS (0x7FC00000U)
#define MPLAN_INFINITE_BITS (0x7F800000U)
#define MPLAN_SIGN_BIT (0x80000000U)
#define MPLAN_WHOLE_F32 (8388608.0f) /* 2^23: floats from here on are whole */

static inline uint32_t mplan_bits_f32(float value)
{
    uint32_t bits;

    (void)memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float mplan_of_bits_f32(uint32_t bits)
{
    float value;

    (void)memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float mplan_abs_f32(float x)
{
    return mplan_of_bits_f32(mplan_bits_f32(x) & ~MPLAN_SIGN_BIT);
}

/** A magnitude with the sign of x. */
static inline float mplan_signed_f32(float magnitude, float x)
{
    return mplan_of_bits_f32(mplan_bits_f32(magnitude) | (mplan_bits_f32(x) & MPLAN_SIGN_BIT));
}

/** value * 2^k, rounded once, for a value in [0.5, 4) and k in [-152, 152]. */
static inline float mplan_scaled_f32(float value, int32_t k)
{
    const int32_t half = k >> 1;
    const float first = mplan_of_bits_f32(MPLAN_CAST(uint32_t, half + 127) << 23);
    const float second = mplan_of_bits_f32(MPLAN_CAST(uint32_t, (k - half) + 127) << 23);

    return (value * first) * second;
}

/** The nearest whole number, halves to even. */
static inline float mplan_rint_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size < MPLAN_WHOLE_F32) {
        result = mplan_signed_f32((size + MPLAN_WHOLE_F32) - MPLAN_WHOLE_F32, x);
    } else if (size >= MPLAN_WHOLE_F32) {
        result = x;
    } else {
        /* NaN */
    }
    return result;
}

/** The largest whole number that is not above x. */
static inline float mplan_floor_f32(float x)
{
    float result = mplan_rint_f32(x);

    if (result > x) {
        result = mplan_signed_f32(mplan_abs_f32(result - 1.0f), x);
    }
    return result;
}

/** The least whole number that is not below x. */
static inline float mplan_ceil_f32(float x)
{
    float result = mplan_rint_f32(x);

    if (result < x) {
        result = mplan_signed_f32(mplan_abs_f32(result + 1.0f), x);
    }
    return result;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_BITS_F32_H */
