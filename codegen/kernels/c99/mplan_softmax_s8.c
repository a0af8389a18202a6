/* SPDX-License-Identifier: 0BSD */
#include "mplan_softmax_s8.h"

static uint32_t exponential(const mplan_softmax_s8_t *p, int32_t below_max)
{
    return ((size_t)below_max < p->exponentials_count) ? p->exponentials[below_max] : 0U;
}

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

static void pixel(const mplan_softmax_s8_t *p, const int8_t *in, int8_t *out)
{
    const int32_t max = largest(in, p->classes);
    uint32_t sum = 0U;
    uint32_t shift = 0U;
    uint32_t reciprocal;
    uint32_t factor;

    for (size_t c = 0U; c < p->classes; c++) {
        sum += exponential(p, max - in[c]);
    }
    while ((sum >> shift) > 65535U) {
        shift++;
    }
    /* 1 / sum = reciprocal / 2^(31 + shift), times 1 / scale_out = scale / 2^15: factor / 2^32 */
    sum >>= shift;
    reciprocal = (0x80000000U + (sum >> 1)) / sum;
    factor = (uint32_t)((((uint64_t)reciprocal * p->scale) + ((uint64_t)1U << (13U + shift))) >>
                        (14U + shift));
    for (size_t c = 0U; c < p->classes; c++) {
        const uint64_t share = (uint64_t)exponential(p, max - in[c]) * factor;
        const int32_t rounded = (int32_t)((share + 0x80000000U) >> 32);

        out[c] = (int8_t)mplan_clamp(rounded + p->out_zero_point, -128, 127);
    }
}

MPLAN_KERNEL
void mplan_softmax_s8(const mplan_softmax_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->classes], &to[x * p->classes]);
        }
    }
}
