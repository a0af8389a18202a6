/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_math_f32.h - functions of one float32, in operations of float32 and integers only.
 *
 * Every bit of a result is defined: operations in the order written, each rounded to nearest even
 * (-ffp-contract=off, no -ffast-math), subnormals kept (FPSCR as after a reset); no number gives
 * the one NaN 0x7FC00000. No errno, no table, no function of a C library. Largest errors of all
 * float32, in units of the last place of the exact value: exp 0.94, expm1 1.79, log and log1p 0.84;
 * sqrt, rint, floor and ceil are exactly rounded.
 */
#ifndef MPLAN_MATH_F32_H
#define MPLAN_MATH_F32_H

#include "mplan_bits_f32.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The square root of a number above 0, bit by bit from the first. */
static MPLAN_APART float mplan_root_f32(float x)
{
    uint32_t bits = mplan_bits_f32(x);
    int32_t exponent = 0;
    uint32_t rest;
    uint32_t root = 0U;
    uint32_t doubled = 0U;

    if (bits < 0x00800000U) { /* subnormal */
        bits = mplan_bits_f32(x * 16777216.0f);
        exponent = -24;
    }
    exponent += MPLAN_CAST(int32_t, bits >> 23) - 127;
    rest = (bits & 0x007FFFFFU) | 0x00800000U;
    rest <<= ((exponent & 1) != 0) ? 2U : 1U;
    for (uint32_t bit = 0x01000000U; bit != 0U; bit >>= 1) {
        const uint32_t trial = doubled + bit;

        if (trial <= rest) {
            doubled = trial + bit;
            rest -= trial;
            root += bit;
        }
        rest <<= 1;
    }
    root += (rest != 0U) ? (root & 1U) : 0U;
    return mplan_of_bits_f32((root >> 1) + (MPLAN_CAST(uint32_t, (exponent >> 1) + 126) << 23));
}

/** Correctly rounded; by the core's own instruction where it has one. */
static inline float mplan_sqrt_f32(float x)
{
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if ((x > 0.0f) && (mplan_bits_f32(x) < MPLAN_INFINITE_BITS)) {
#if defined(__GNUC__) && defined(__ARM_FP) && ((__ARM_FP & 0x4) != 0)
        __asm__("vsqrt.f32 %0, %1" : "=t"(result) : "t"(x));
#else
        result = mplan_root_f32(x);
#endif
    } else if (x >= 0.0f) { /* 0, -0 and infinite */
        result = x;
    } else {
        /* NaN */
    }
    return result;
}

/** exp(high - low) - 1, for a low that is small beside a high within +-0.35. */
static inline float mplan_exp_rest_f32(float high, float low)
{
    const float r = high - low;
    float sum = 0.00139399897f;

    sum = (sum * r) + 0.0083665764f;
    sum = (sum * r) + 0.0416664109f;
    sum = (sum * r) + 0.166665435f;
    sum = (sum * r) + 0.5f;
    return high + (((r * r) * sum) - low);
}

/** exp(x) = 2^k * (1 + m): m, for x in [-104, 89]. */
static inline float mplan_exp_parts_f32(float x, int32_t *k)
{
    const float near = x * 1.44269502f;
    const int32_t whole = MPLAN_CAST(int32_t, (near < 0.0f) ? (near - 0.5f) : (near + 0.5f));
    const float count = MPLAN_CAST(float, whole);

    *k = whole;
    return mplan_exp_rest_f32(x - (count * 0.693145752f), count * 1.42860677e-06f);
}

static MPLAN_APART float mplan_exp_f32(float x)
{
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (x > 89.0f) {
        result = mplan_of_bits_f32(MPLAN_INFINITE_BITS);
    } else if (x >= -104.0f) {
        int32_t k;
        const float m = mplan_exp_parts_f32(x, &k);

        result = mplan_scaled_f32(1.0f + m, k);
    } else if (x < -104.0f) {
        result = 0.0f;
    } else {
        /* NaN */
    }
    return result;
}

/** exp(x) - 1. */
static MPLAN_APART float mplan_expm1_f32(float x)
{
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (mplan_abs_f32(x) < 2.98023224e-08f) {
        result = x;
    } else if (x > 89.0f) {
        result = mplan_of_bits_f32(MPLAN_INFINITE_BITS);
    } else if (x >= -18.0f) {
        int32_t k;
        const float m = mplan_exp_parts_f32(x, &k);

        if (k > 24) {
            result = mplan_scaled_f32(1.0f + m, k);
        } else {
            const float power = mplan_scaled_f32(1.0f, k);

            result = (power * m) + (power - 1.0f);
        }
    } else if (x < -18.0f) {
        result = -1.0f;
    } else {
        /* NaN */
    }
    return result;
}

/** log(2^k * (1 + f)) + c, for 1 + f in [sqrt(0.5), sqrt(2)) and a small c. */
static MPLAN_APART float mplan_log_parts_f32(float f, int32_t k, float c)
{
    const float count = MPLAN_CAST(float, k);
    const float s = f / (2.0f + f);
    const float z = s * s;
    const float half = (0.5f * f) * f;
    float sum = 0.242790431f;
    float low;

    sum = (sum * z) + 0.284987897f;
    sum = (sum * z) + 0.400009722f;
    sum = (sum * z) + 0.666666627f;
    low = (s * (half + (z * sum))) + ((count * 1.42860677e-06f) + c);
    return ((low - half) + f) + (count * 0.693145752f);
}

/** Bits of a positive number as bits of 1 + f, the f of mplan_log_parts_f32, and k. */
static inline float mplan_log_reduced_f32(uint32_t bits, int32_t *k)
{
    const uint32_t above = bits + (0x3F800000U - 0x3F3504F3U); /* 1 and sqrt(0.5) */

    *k = MPLAN_CAST(int32_t, above >> 23) - 127;
    return mplan_of_bits_f32((above & 0x007FFFFFU) + 0x3F3504F3U) - 1.0f;
}

static MPLAN_APART float mplan_log_f32(float x)
{
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if ((x > 0.0f) && (mplan_bits_f32(x) < MPLAN_INFINITE_BITS)) {
        const int subnormal = (mplan_bits_f32(x) < 0x00800000U) ? 1 : 0;
        const float scaled = (subnormal != 0) ? (x * 33554432.0f) : x;
        int32_t k;
        const float f = mplan_log_reduced_f32(mplan_bits_f32(scaled), &k);

        result = mplan_log_parts_f32(f, (subnormal != 0) ? (k - 25) : k, 0.0f);
    } else if (x > 0.0f) {
        result = x;
    } else if (mplan_abs_f32(x) <= 0.0f) {
        result = mplan_of_bits_f32(MPLAN_INFINITE_BITS | MPLAN_SIGN_BIT);
    } else {
        /* NaN */
    }
    return result;
}

/** log(1 + x). */
static MPLAN_APART float mplan_log1p_f32(float x)
{
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (mplan_abs_f32(x) < 2.98023224e-08f) {
        result = x;
    } else if ((x > -0.292893f) && (x < 0.414213f)) {
        result = mplan_log_parts_f32(x, 0, 0.0f);
    } else if ((x > -1.0f) && (x <= 3.40282347e+38f)) {
        const float u = 1.0f + x;
        const float lost = (u > 2.0f) ? (1.0f - (u - x)) : (x - (u - 1.0f));
        int32_t k;
        const float f = mplan_log_reduced_f32(mplan_bits_f32(u), &k);

        result = mplan_log_parts_f32(f, k, lost / u);
    } else if (x > 0.0f) {
        result = x;
    } else if (x >= -1.0f) {
        result = mplan_of_bits_f32(MPLAN_INFINITE_BITS | MPLAN_SIGN_BIT);
    } else {
        /* NaN */
    }
    return result;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MATH_F32_H */
