/* SPDX-License-Identifier: 0BSD */
#include "mplan_row_sum_s8.h"

#include <string.h>

#define BLOCK (8U) /* channels summed side by side */

/* Adds `channels` channels of a row's pixels to their sums. */
static void add_block(const mplan_row_sum_s8_t *p, const int8_t *in, int32_t *sum, size_t channels)
{
    for (size_t x = 0U; x < p->in_w; x++) {
        const int8_t *const pixel = &in[x * p->channels];

        for (size_t i = 0U; i < channels; i++) {
            sum[i] += (int32_t)pixel[i] - (int32_t)p->in_zero_point;
        }
    }
}

void mplan_row_sum_s8(const mplan_row_sum_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    int8_t *const sums = &out[mplan_row(&p->out_rows, 0U)];

    for (size_t y = y0; y < y1; y++) {
        const int8_t *const row = &in[mplan_row(&p->in_rows, y)];

        for (size_t c = 0U; c < p->channels; c += BLOCK) {
            const size_t left = (size_t)p->channels - c;
            const size_t channels = (left < BLOCK) ? left : BLOCK;
            const size_t bytes = channels * sizeof(int32_t);
            int32_t sum[BLOCK];

            for (size_t i = 0U; i < BLOCK; i++) {
                sum[i] = p->in_zero_point;
            }
            if (y > 0U) {
                (void)memcpy(sum, &sums[c * sizeof(int32_t)], bytes);
            }
            add_block(p, &row[c], sum, channels);
            (void)memcpy(&sums[c * sizeof(int32_t)], sum, bytes);
        }
    }
}
