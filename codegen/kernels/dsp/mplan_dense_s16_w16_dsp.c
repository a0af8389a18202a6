/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_s16_w16_dsp.h"

typedef mplan_dense_s16_w16_dsp_t dense_t;

#define STEP MPLAN_HALVES_WIDE_STEP

#include "mplan_dense_halves_dsp.h"

MPLAN_KERNEL
void mplan_dense_s16_w16_dsp(const mplan_dense_s16_w16_dsp_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int16_t *const from = (const int16_t *)(const void *)&in[mplan_row(&p->in_rows, y)];
        int16_t *const to = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            dense_pixel(p, &from[x * p->in_c], &to[x * p->out_c]);
        }
    }
}
