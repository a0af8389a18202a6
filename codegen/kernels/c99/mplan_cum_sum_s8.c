/* SPDX-License-Identifier: 0BSD */
#include "mplan_cum_sum_s8.h"

static void sum_pixel(const mplan_cum_sum_s8_t *p, const int8_t *from, int8_t *to)
{
    int32_t sum = 0;

    for (size_t i = 0U; i < p->elements; i++) {
        const size_t at = (p->reverse != 0U) ? (p->elements - 1U - i) : i;
        const int32_t before = sum;
        int32_t result = 0;

        sum += (int32_t)from[at] - p->in_zero_point;
        result = (p->exclusive != 0U) ? before : sum;
        result = mplan_scale(result, p->multiplier, p->pre_shift) + p->out_zero_point;
        to[at] = (int8_t)mplan_clamp(result, -128, 127);
    }
}

MPLAN_KERNEL
void mplan_cum_sum_s8(const mplan_cum_sum_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            sum_pixel(p, &from[x * p->elements], &to[x * p->elements]);
        }
    }
}
