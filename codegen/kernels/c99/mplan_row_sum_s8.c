/* SPDX-License-Identifier: 0BSD */
#include "mplan_row_sum_s8.h"

#include <string.h>

/* Adds one row's pixels to the sums, which may begin at any address. */
static void add_row(const mplan_row_sum_s8_t *p, const int8_t *row, int8_t *sums)
{
    const int32_t zero = (int32_t)p->in_w * (int32_t)p->in_zero_point;

    for (size_t c = 0U; c < p->channels; c++) {
        const int8_t *pixel = &row[c];
        int32_t sum;

        (void)memcpy(&sum, &sums[c * sizeof sum], sizeof sum);
        sum -= zero;
        for (size_t x = 0U; x < p->in_w; x++) {
            sum += (int32_t)*pixel;
            pixel = &pixel[p->channels];
        }
        (void)memcpy(&sums[c * sizeof sum], &sum, sizeof sum);
    }
}

MPLAN_KERNEL
void mplan_row_sum_s8(const mplan_row_sum_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    int8_t *const sums = &out[mplan_row(&p->out_rows, 0U)];
    const int32_t start = p->in_zero_point;

    if (y0 == 0U) {
        for (size_t c = 0U; c < p->channels; c++) {
            (void)memcpy(&sums[c * sizeof start], &start, sizeof start);
        }
    }
    for (size_t y = y0; y < y1; y++) {
        add_row(p, &in[mplan_row(&p->in_rows, y)], sums);
    }
}
