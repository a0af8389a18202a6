/* SPDX-License-Identifier: 0BSD */
#include "mplan_prelu_s8.h"

static void pixel(const mplan_prelu_s8_t *p, const int8_t *in, int8_t *out)
{
    const int32_t half = (int32_t)1 << (p->shift - 1U);

    for (size_t c = 0U; c < p->channels; c++) {
        const int32_t value = (int32_t)in[c] - p->in_zero_point;
        const int32_t factor = (value < 0) ? p->negative[c] : p->positive;
        const int32_t steps = ((value * factor) + half) >> p->shift;

        out[c] = (int8_t)mplan_clamp(steps + p->out_zero_point, -128, 127);
    }
}

MPLAN_KERNEL
void mplan_prelu_s8(const mplan_prelu_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->channels], &to[x * p->channels]);
        }
    }
}
