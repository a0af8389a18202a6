/* SPDX-License-Identifier: 0BSD */
#include "mplan_hardmax_f32.h"

static void pixel(const mplan_hardmax_f32_t *p, const float *in, float *out)
{
    size_t best = 0U;

    for (size_t c = 1U; c < p->classes; c++) {
        best = (in[c] > in[best]) ? c : best;
    }
    for (size_t c = 0U; c < p->classes; c++) {
        out[c] = 0.0f;
    }
    out[best] = 1.0f;
}

MPLAN_KERNEL
void mplan_hardmax_f32(const mplan_hardmax_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                       size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->classes], &to[x * p->classes]);
        }
    }
}
