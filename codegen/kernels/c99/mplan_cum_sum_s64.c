/* SPDX-License-Identifier: 0BSD */
#include "mplan_cum_sum_s64.h"

static void sum_pixel(const mplan_cum_sum_s64_t *p, const int8_t *from, int8_t *to)
{
    const size_t bytes = MPLAN_INTEGER_BYTES(p->kind);
    uint64_t sum = 0U;

    for (size_t i = 0U; i < p->elements; i++) {
        const size_t at = ((p->reverse != 0U) ? (p->elements - 1U - i) : i) * bytes;
        const uint64_t before = sum;

        sum += (uint64_t)mplan_take_integer(&from[at], p->kind);
        mplan_put_integer(&to[at], p->kind, (int64_t)((p->exclusive != 0U) ? before : sum));
    }
}

MPLAN_KERNEL
void mplan_cum_sum_s64(const mplan_cum_sum_s64_t *p, const int8_t *in, int8_t *out, size_t y0,
                       size_t y1)
{
    const size_t pixel = p->elements * MPLAN_INTEGER_BYTES(p->kind);

    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            sum_pixel(p, &from[x * pixel], &to[x * pixel]);
        }
    }
}
