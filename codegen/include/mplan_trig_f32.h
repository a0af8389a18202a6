/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_trig_f32.h - sin, cos and atan of one float32, as mplan_math_f32.h has its functions.
 * Largest errors that every 61st float32 shows, in units of the last place: sin and cos 1.58, atan
 * 0.85.
 */
#ifndef MPLAN_TRIG_F32_H
#define MPLAN_TRIG_F32_H

#include "mplan_math_f32.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * x >= 0 without whole quarters of a turn: the rest, within +-pi/4, and how many quarters, modulo
 * 4. Quarters are counted by 96 bits of 2/pi, those that weigh less than 4 in the product with x.
 */
static MPLAN_APART float mplan_quarter_f32(float x, uint32_t *quadrant)
{
    static const uint32_t two_by_pi[8] = {0U,          0xA2F9836EU, 0x4E441529U, 0xFC2757D1U,
                                          0xF534DDC0U, 0xDB629599U, 0x3C439041U, 0xFE5163ABU};
    const uint32_t bits = mplan_bits_f32(x);
    float result = x;

    *quadrant = 0U;
    if (x > 0.785398185f) {
        const uint32_t place = (bits >> 23) - 120U;
        const uint32_t *const word = &two_by_pi[place >> 5];
        const uint32_t shift = place & 31U;
        const uint64_t digits = (bits & 0x007FFFFFU) | 0x00800000U;
        uint64_t part[3];
        uint64_t turn;
        int32_t halvings = 31;

        for (size_t i = 0U; i < 3U; i++) {
            part[i] = (((MPLAN_CAST(uint64_t, word[i]) << 32) | word[i + 1U]) << shift) >> 32;
            part[i] *= digits;
        }
        turn = (part[0] << 32) + part[1] + (part[2] >> 32); /* 2^62 are a quarter */
        turn += MPLAN_CAST(uint64_t, 1) << 61;
        *quadrant = MPLAN_CAST(uint32_t, turn >> 62);
        turn = (turn & 0x3FFFFFFFFFFFFFFFU) - (MPLAN_CAST(uint64_t, 1) << 61);
        result = ((turn >> 63) != 0U) ? -1.0f : 1.0f;
        turn = ((turn >> 63) != 0U) ? (0U - turn) : turn;
        while ((turn < (MPLAN_CAST(uint64_t, 1) << 61)) && (halvings < 80)) {
            turn <<= 1;
            halvings++;
        }
        turn = ((turn >> 31) * 0x6487ED51U) >> 30; /* times pi / 2 */
        result *= MPLAN_CAST(float, MPLAN_CAST(uint32_t, turn));
        result *= mplan_of_bits_f32(MPLAN_CAST(uint32_t, 127 - halvings) << 23);
    }
    return result;
}

/** The sine of a rest of mplan_quarter_f32, and quarters of a turn more. */
static MPLAN_APART float mplan_sin_parts_f32(float r, uint32_t quadrant)
{
    const float z = r * r;
    float result;

    if ((quadrant & 1U) == 0U) {
        float sum = 2.83739519e-06f;

        sum = (sum * z) - 0.000198535054f;
        sum = (sum * z) + 0.00833338033f;
        sum = (sum * z) - 0.166666672f;
        result = r + (r * (z * sum));
    } else {
        float sum = 2.44306684e-05f;

        sum = (sum * z) - 0.00138873013f;
        sum = (sum * z) + 0.0416666456f;
        result = (1.0f - (0.5f * z)) + ((z * z) * sum);
    }
    return ((quadrant & 2U) != 0U) ? -result : result;
}

static inline float mplan_sin_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size <= 3.40282347e+38f) {
        uint32_t quadrant;
        const float r = mplan_quarter_f32(size, &quadrant);

        result = mplan_sin_parts_f32(r, quadrant);
        result = (mplan_bits_f32(x) != mplan_bits_f32(size)) ? -result : result;
    }
    return result;
}

static inline float mplan_cos_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size <= 3.40282347e+38f) {
        uint32_t quadrant;
        const float r = mplan_quarter_f32(size, &quadrant);

        result = mplan_sin_parts_f32(r, quadrant + 1U);
    }
    return result;
}

/** The angle whose tangent is x: that of a near one, 0, 0.5, 1, 1.5 or infinite, and the rest. */
static MPLAN_APART float mplan_atan_f32(float x)
{
    const float size = mplan_abs_f32(x);
    float result = mplan_of_bits_f32(MPLAN_NAN_BITS);

    if (size >= 0.0f) {
        float high = 1.57079637f;
        float low = -4.37113883e-08f;
        float r;
        float z;
        float sum = 0.0438528508f;

        if (size < 0.4375f) {
            high = 0.0f;
            low = 0.0f;
            r = size;
        } else if (size < 0.6875f) {
            high = 0.463647604f;
            low = 5.01215868e-09f;
            r = ((2.0f * size) - 1.0f) / (2.0f + size);
        } else if (size < 1.1875f) {
            high = 0.785398185f;
            low = -2.18556941e-08f;
            r = (size - 1.0f) / (size + 1.0f);
        } else if (size < 2.4375f) {
            high = 0.982793748f;
            low = -2.51314241e-08f;
            r = (size - 1.5f) / (1.0f + (1.5f * size));
        } else {
            r = -1.0f / size;
        }
        z = r * r;
        sum = (sum * z) - 0.0829611719f;
        sum = (sum * z) + 0.110112742f;
        sum = (sum * z) - 0.142792195f;
        sum = (sum * z) + 0.199998036f;
        sum = (sum * z) - 0.333333313f;
        sum = (r * (z * sum)) + low;
        result = mplan_signed_f32(high + (r + sum), x);
    }
    return result;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TRIG_F32_H */
