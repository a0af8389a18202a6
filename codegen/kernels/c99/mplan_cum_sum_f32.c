/* SPDX-License-Identifier: 0BSD */
#include "mplan_cum_sum_f32.h"

static void sum_pixel(const mplan_cum_sum_f32_t *p, const float *from, float *to)
{
    float sum = 0.0f;

    for (size_t i = 0U; i < p->elements; i++) {
        const size_t at = (p->reverse != 0U) ? (p->elements - 1U - i) : i;
        const float before = sum;

        sum += from[at];
        to[at] = (p->exclusive != 0U) ? before : sum;
    }
}

MPLAN_KERNEL
void mplan_cum_sum_f32(const mplan_cum_sum_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                       size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            sum_pixel(p, &from[x * p->elements], &to[x * p->elements]);
        }
    }
}
