/* SPDX-License-Identifier: 0BSD */
#include "mplan_arg_extreme_s64.h"

static int32_t index_of(const mplan_arg_extreme_s64_t *p, const int8_t *values)
{
    const size_t bytes = MPLAN_INTEGER_BYTES(p->kind);
    int64_t best = mplan_take_ordered(values, p->kind);
    size_t taken = 0U;

    for (size_t c = 1U; c < p->classes; c++) {
        const int64_t value = mplan_take_ordered(&values[c * bytes], p->kind);
        const int better = ((p->smallest != 0U) ? (value < best) : (value > best)) ? 1 : 0;

        if ((better != 0) || ((value == best) && (p->last != 0U))) {
            best = value;
            taken = c;
        }
    }
    return (int32_t)taken;
}

MPLAN_KERNEL
void mplan_arg_extreme_s64(const mplan_arg_extreme_s64_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            const int32_t index = index_of(p, &from[x * p->classes * MPLAN_INTEGER_BYTES(p->kind)]);

            (void)memcpy(&to[x * sizeof index], &index, sizeof index);
        }
    }
}
