/* SPDX-License-Identifier: 0BSD */
#include "mplan_hardmax_s8.h"

static void pixel(const mplan_hardmax_s8_t *p, const int8_t *in, int8_t *out)
{
    size_t best = 0U;

    for (size_t c = 1U; c < p->classes; c++) {
        best = (in[c] > in[best]) ? c : best;
    }
    for (size_t c = 0U; c < p->classes; c++) {
        out[c] = p->zero;
    }
    out[best] = p->one;
}

MPLAN_KERNEL
void mplan_hardmax_s8(const mplan_hardmax_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
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
