/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_pow_f32.h - powers of float32, as mplan_math_f32.h has its functions: 2^(y * log2(x)) with
 * a logarithm of 64 bits in integers. Largest error of 60 million random powers: 1.02 ULP.
 */
#ifndef MPLAN_POW_F32_H
#define MPLAN_POW_F32_H

#include "mplan_math_f32.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * log2 of a positive normal number, as an integer and the binary digits of its fraction. The
 * number is 2^k * m; m times a factor of 8 bits is 1 + r, and log2(1 + r) a polynomial.
 */
static inline int64_t mplan_log2_q_f32(uint32_t bits, int32_t k, int32_t *digits)
{
    static const uint8_t factors[16] = {177U, 170U, 163U, 157U, 151U, 146U, 141U, 136U,
                                        132U, 128U, 120U, 113U, 107U, 102U, 97U,  93U};
    static const int64_t logs[16] = {
        -16847265448881304, -14749862939508898, -12564255883589454, -10614831159391582,
        -8589435961502285,  -6839150501102515,  -5027867349298043,  -3151180954110347,
        -1599466715201378,  0,                  3354619831377318,   6478735662882693,
        9314633469654128,   11802120862665520,  14414658998734180,  16603553652566770,
    }; /* -log2(factor / 128) * 2^55 */
    static const int32_t sums[5] = {-250848954, 310071858, -387277979, 516360587, -774541001};
    const uint32_t above = bits + (0x3F800000U - 0x3F3504F3U); /* 1 and sqrt(0.5) */
    const int32_t whole = MPLAN_CAST(int32_t, above >> 23) - 127;
    const uint32_t part = (above & 0x007FFFFFU) >> 19;
    const uint32_t m = (above & 0x007FFFFFU) + 0x3F3504F3U;
    const uint32_t fixed = ((m & 0x007FFFFFU) | 0x00800000U) << ((m >= 0x3F800000U) ? 1U : 0U);
    const int64_t r = (MPLAN_CAST(int64_t, fixed) * factors[part]) -
                      (MPLAN_CAST(int64_t, 1) << 31);
    int64_t sum = 0;
    int64_t result;

    for (size_t i = 0U; i < 5U; i++) {
        sum = ((sum * r) >> 31) + sums[i];
    }
    sum = (sum * r) + 3326628274470997504; /* 2^61 / log(2) */
    result = (r * (sum >> 30)) + ((r * (sum & 0x3FFFFFFF)) >> 30);
    *digits = 62;
    if (((whole + k) != 0) || (logs[part] != 0)) {
        *digits = 55;
        result = (result >> 7) + logs[part];
        result += MPLAN_CAST(int64_t, whole + k) * (MPLAN_CAST(int64_t, 1) << 55);
    }
    return result;
}

/** 2^(t * 2^-32), for |t| at most 152 * 2^32. */
static inline float mplan_exp2_q_f32(int64_t t)
{
    const int64_t whole = (t + 0x80000000U) >> 32;
    const int64_t rest = ((t - (whole * 0x100000000)) * 2977044472) >> 32; /* times log(2) */
    const float r = MPLAN_CAST(float, MPLAN_CAST(int32_t, rest)) * 2.32830644e-10f;

    return mplan_scaled_f32(1.0f + mplan_exp_rest_f32(r, 0.0f), MPLAN_CAST(int32_t, whole));
}

/** x^y for finite x and y, x above 0. */
static inline float mplan_pow_parts_f32(float x, float y)
{
    const uint32_t bits = mplan_bits_f32(y) & ~MPLAN_SIGN_BIT;
    const int subnormal = (mplan_bits_f32(x) < 0x00800000U) ? 1 : 0;
    int32_t digits;
    const int64_t log2 = mplan_log2_q_f32(
        mplan_bits_f32((subnormal != 0) ? (x * 33554432.0f) : x), (subnormal != 0) ? -25 : 0,
        &digits);
    uint64_t size = MPLAN_CAST(uint64_t, (log2 < 0) ? -log2 : log2);
    const uint64_t most = MPLAN_CAST(uint64_t, 152) << 32;
    uint64_t t = 0U;

    if ((size != 0U) && (bits >= 0x00800000U)) {
        const uint64_t digits_y = (bits & 0x007FFFFFU) | 0x00800000U;
        uint64_t product;
        int32_t shift;

        while (size < (MPLAN_CAST(uint64_t, 1) << 62)) {
            size <<= 1;
            digits++;
        }
        product = (digits_y * (size >> 32)) + ((digits_y * (size & 0xFFFFFFFFU)) >> 32);
        shift = (digits + 86) - MPLAN_CAST(int32_t, bits >> 23);
        if (shift < 14) {
            t = most;
        } else if (shift < 56) {
            t = ((product >> (shift - 1)) + 1U) >> 1;
            t = (t > most) ? most : t;
        } else {
            /* a power next to 0 */
        }
    }
    return mplan_exp2_q_f32(((log2 < 0) != (y < 0.0f)) ? -MPLAN_CAST(int64_t, t)
                                                      : MPLAN_CAST(int64_t, t));
}

/** x^y as IEEE 754 defines it: 1^y and x^0 are 1. */
static MPLAN_APART float mplan_pow_f32(float x, float y)
{
    const float size = mplan_abs_f32(x);
    const float size_y = mplan_abs_f32(y);
    const uint32_t infinite = MPLAN_INFINITE_BITS;
    int whole = (size_y >= 16777216.0f) ? 1 : 0;
    uint32_t odd = 0U;
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if ((size_y >= 1.0f) && (whole == 0)) {
        odd = MPLAN_CAST(uint32_t, size_y);
        whole = (mplan_bits_f32(MPLAN_CAST(float, odd)) == mplan_bits_f32(size_y)) ? 1 : 0;
        odd = (whole != 0) ? (odd & 1U) : 0U;
    }
    if ((mplan_bits_f32(x) == 0x3F800000U) || (mplan_bits_f32(size_y) == 0U)) {
        result = 1.0f;
    } else if ((mplan_bits_f32(size) > infinite) || (mplan_bits_f32(size_y) > infinite)) {
        odd = 0U; /* NaN has no sign */
    } else if ((mplan_bits_f32(size) == 0U) || (mplan_bits_f32(size) == infinite) ||
               (mplan_bits_f32(size_y) == infinite)) {
        result = ((size > 1.0f) == (y > 0.0f)) ? mplan_of_bits_f32(infinite) : 0.0f;
        result = (mplan_bits_f32(size) == 0x3F800000U) ? 1.0f : result;
    } else if ((x > 0.0f) || (whole != 0)) {
        result = mplan_pow_parts_f32(size, y);
    } else {
        /* NaN: a root of a negative number */
    }
    return (odd != 0U) ? mplan_signed_f32(result, x) : result;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_POW_F32_H */
