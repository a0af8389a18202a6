/* SPDX-License-Identifier: 0BSD */
#include "mplan_quantize_wide_f32.h"

MPLAN_KERNEL
void mplan_quantize_wide_f32(const mplan_quantize_wide_f32_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        int16_t *const to = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->elements; i++) {
            to[i] = (int16_t)mplan_quantize(from[i], p->scale, p->zero_point, INT16_MIN, INT16_MAX);
        }
    }
}
