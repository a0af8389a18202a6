/* SPDX-License-Identifier: 0BSD */
#include "mplan_mod_f32.h"

#include <string.h>

#define INFINITE (0x7F800000U)
#define HIDDEN (0x00800000U)

static uint32_t bits_of(float value)
{
    uint32_t bits;

    (void)memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* A magnitude as a whole number below 2^24 times 2^(exponent - 150). */
static uint32_t mantissa_of(uint32_t magnitude, uint32_t *exponent)
{
    uint32_t mantissa = magnitude & (HIDDEN - 1U);

    *exponent = magnitude >> 23;
    if (*exponent != 0U) {
        mantissa |= HIDDEN;
    } else {
        *exponent = 1U;
    }
    return mantissa;
}

/* What is left of a magnitude divided by another: long division, bit by bit. */
static uint32_t remainder_of(uint32_t x, uint32_t y)
{
    uint32_t exponent = 0U;
    uint32_t exponent2 = 0U;
    uint32_t rest = mantissa_of(x, &exponent);
    const uint32_t by = mantissa_of(y, &exponent2);

    for (; exponent > exponent2; exponent--) {
        rest = (rest >= by) ? (rest - by) : rest;
        rest <<= 1;
    }
    rest = (rest >= by) ? (rest - by) : rest;
    while ((rest != 0U) && (rest < HIDDEN) && (exponent > 1U)) {
        rest <<= 1;
        exponent--;
    }
    return (rest < HIDDEN) ? rest : ((rest - HIDDEN) | (exponent << 23));
}

static float mod(const mplan_mod_f32_t *p, float a, float b)
{
    const uint32_t sign = bits_of(a) & 0x80000000U;
    const uint32_t x = bits_of(a) & 0x7FFFFFFFU;
    const uint32_t y = bits_of(b) & 0x7FFFFFFFU;
    uint32_t bits = 0x7FC00000U; /* no number */
    float result;

    if ((x < INFINITE) && (y <= INFINITE) && (y != 0U)) {
        bits = sign | ((x < y) ? x : remainder_of(x, y));
    }
    (void)memcpy(&result, &bits, sizeof result);
    if ((p->floored != 0U) && (bits != sign) && ((result < 0.0f) != (b < 0.0f))) {
        result += b;
    }
    return result;
}

static void run(const mplan_mod_f32_t *p, const float *a, const float *b, float *out)
{
    for (size_t i = 0U; i < p->inner; i++) {
        out[i] = mod(p, a[i * p->in_inner], b[i * p->in2_inner]);
    }
    if (p->clamped != 0U) {
        for (size_t i = 0U; i < p->inner; i++) {
            out[i] = mplan_clamp_f32(out[i], p->act_min, p->act_max);
        }
    }
}

MPLAN_KERNEL
void mplan_mod_f32(const mplan_mod_f32_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                   size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const a =
            (const float *)(const void *)&in[mplan_row(&p->in_rows, y * p->in_moves)];
        const float *const b =
            (const float *)(const void *)&in2[mplan_row(&p->in2_rows, y * p->in2_moves)];
        float *to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->outer; i++) {
            for (size_t j = 0U; j < p->middle; j++) {
                run(p, &a[(i * p->in_outer) + (j * p->in_middle)],
                    &b[(i * p->in2_outer) + (j * p->in2_middle)], to);
                to = &to[p->inner];
            }
        }
    }
}
