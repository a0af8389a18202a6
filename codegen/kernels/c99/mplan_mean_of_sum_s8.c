/* SPDX-License-Identifier: 0BSD */
#include "mplan_mean_of_sum_s8.h"

#include <string.h>

/* sum / count, halves to even. */
static int32_t divided(int32_t sum, uint32_t count)
{
    const uint32_t magnitude = (sum < 0) ? (0U - (uint32_t)sum) : (uint32_t)sum;
    const uint32_t whole = magnitude / count;
    const uint32_t twice = 2U * (magnitude - (whole * count));
    const uint32_t up = ((twice > count) || ((twice == count) && ((whole & 1U) != 0U))) ? 1U : 0U;
    const uint32_t rounded = whole + up;
    const int32_t result = (int32_t)rounded;

    return (sum < 0) ? -result : result;
}

MPLAN_KERNEL
void mplan_mean_of_sum_s8(const mplan_mean_of_sum_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t c = 0U; c < p->channels; c++) {
            int32_t sum;
            int32_t result;

            (void)memcpy(&sum, &from[c * sizeof sum], sizeof sum);
            sum -= p->in_zero_point;
            if (p->count != 0U) {
                result = divided(sum, p->count);
            } else {
                result = mplan_scale(sum, p->multiplier, p->pre_shift);
            }
            to[c] = (int8_t)mplan_clamp(result + p->out_zero_point, -128, 127);
        }
    }
}
