/* SPDX-License-Identifier: 0BSD */
#include "mplan_log_softmax_s8.h"

#define FRACTION_BITS 20U

static int32_t largest(const int8_t *values, size_t count)
{
    int32_t max = values[0];

    for (size_t c = 1U; c < count; c++) {
        if (values[c] > max) {
            max = values[c];
        }
    }
    return max;
}

/* Sum of the exponentials of a pixel, in units of 1 / 2^unit_bits. */
static uint32_t total(const mplan_log_softmax_s8_t *p, const int8_t *in, int32_t max)
{
    uint32_t sum = 0U;

    for (size_t c = 0U; c < p->classes; c++) {
        const size_t below_max = (size_t)(max - in[c]);

        sum += (below_max < p->exponentials_count) ? p->exponentials[below_max] : 0U;
    }
    return sum;
}

/* Logarithm to base 2 of sum / 2^unit_bits, at least 0, in fixed point: squaring doubles it. */
static uint32_t log2_fixed(uint32_t sum, uint32_t unit_bits)
{
    uint32_t whole = 31U;
    uint32_t fraction = 0U;

    while ((sum & 0x80000000U) == 0U) {
        sum <<= 1;
        whole--;
    }
    for (uint32_t bit = 0U; bit < FRACTION_BITS; bit++) {
        const uint64_t square = (uint64_t)sum * sum;
        const uint32_t carry = (uint32_t)(square >> 63);

        sum = (uint32_t)(square >> (31U + carry));
        fraction = (fraction << 1) | carry;
    }
    return ((whole - unit_bits) << FRACTION_BITS) | fraction;
}

static void pixel(const mplan_log_softmax_s8_t *p, const int8_t *in, int8_t *out)
{
    const int32_t max = largest(in, p->classes);
    const uint32_t octaves = log2_fixed(total(p, in, max), p->unit_bits);
    const uint64_t half = (uint64_t)1U << (FRACTION_BITS - 1U);
    const uint64_t below = (((uint64_t)octaves * p->octave) >> FRACTION_BITS) + half;

    for (size_t c = 0U; c < p->classes; c++) {
        const uint64_t steps = below + ((uint64_t)(uint32_t)(max - in[c]) * p->step);
        const uint64_t rounded = steps >> FRACTION_BITS;
        const int32_t limited = (rounded < 256U) ? (int32_t)rounded : 256;

        out[c] = (int8_t)mplan_clamp(p->out_zero_point - limited, -128, 127);
    }
}

MPLAN_KERNEL
void mplan_log_softmax_s8(const mplan_log_softmax_s8_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->classes], &to[x * p->classes]);
        }
    }
}
