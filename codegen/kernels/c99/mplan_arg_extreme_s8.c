/* SPDX-License-Identifier: 0BSD */
#include "mplan_arg_extreme_s8.h"

#include <string.h>

static int32_t index_of(const mplan_arg_extreme_s8_t *p, const int8_t *values)
{
    size_t taken = 0U;

    for (size_t c = 1U; c < p->classes; c++) {
        const int32_t gain = (int32_t)values[c] - values[taken];
        const int32_t better = (p->smallest != 0U) ? -gain : gain;

        if ((better > 0) || ((better == 0) && (p->last != 0U))) {
            taken = c;
        }
    }
    return (int32_t)taken;
}

MPLAN_KERNEL
void mplan_arg_extreme_s8(const mplan_arg_extreme_s8_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            const int32_t index = index_of(p, &from[x * p->classes]);

            (void)memcpy(&to[x * sizeof index], &index, sizeof index);
        }
    }
}
