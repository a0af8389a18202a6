/* SPDX-License-Identifier: 0BSD */
#include "mplan_softmax_s16.h"

/* exp(-below * scale_in) * 2^30 */
static uint64_t exponential(const mplan_softmax_s16_t *p, uint32_t below)
{
    const uint32_t coarse = ((below >> 8) < p->coarse_count) ? p->coarse[below >> 8] : 0U;
    const uint64_t product = (uint64_t)coarse * p->fine[below & 255U];

    return (product + 0x80000000U) >> 32;
}

static void pixel(const mplan_softmax_s16_t *p, const int16_t *in, int16_t *out)
{
    int32_t max = in[0];
    uint64_t sum = 0U;
    uint64_t reciprocal;

    for (size_t c = 1U; c < p->classes; c++) {
        max = (in[c] > max) ? in[c] : max;
    }
    for (size_t c = 0U; c < p->classes; c++) {
        sum += exponential(p, (uint32_t)(max - in[c]));
    }
    reciprocal = ((uint64_t)1U << 61) / sum; /* 2^31 at most: the largest class has 2^30 */
    for (size_t c = 0U; c < p->classes; c++) {
        const uint64_t share = (exponential(p, (uint32_t)(max - in[c])) * reciprocal) >> 30;
        const uint64_t steps = ((share * p->scale) + ((uint64_t)1U << 38)) >> 39;

        out[c] = (int16_t)mplan_clamp((int32_t)steps + p->out_zero_point, -32768, 32767);
    }
}

MPLAN_KERNEL
void mplan_softmax_s16(const mplan_softmax_s16_t *p, const int8_t *in, int8_t *out, size_t y0,
                       size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int16_t *const from = (const int16_t *)(const void *)&in[mplan_row(&p->in_rows, y)];
        int16_t *const to = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->classes], &to[x * p->classes]);
        }
    }
}
