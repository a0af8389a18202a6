/* SPDX-License-Identifier: 0BSD */
#include "mplan_prelu_f32.h"

static void pixel(const mplan_prelu_f32_t *p, const float *in, float *out)
{
    for (size_t c = 0U; c < p->channels; c++) {
        const float value = in[c];

        out[c] = (value < 0.0f) ? (value * p->slopes[c]) : value;
    }
}

MPLAN_KERNEL
void mplan_prelu_f32(const mplan_prelu_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->channels], &to[x * p->channels]);
        }
    }
}
