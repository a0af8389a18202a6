/* SPDX-License-Identifier: 0BSD */
#include "mplan_dequantize_wide_f32.h"

MPLAN_KERNEL
void mplan_dequantize_wide_f32(const mplan_dequantize_wide_f32_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1)
{
    const int32_t zero_point = p->zero_point;
    const float scale = p->scale;

    for (size_t y = y0; y < y1; y++) {
        const int16_t *const from = (const int16_t *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->elements; i++) {
            to[i] = (float)((int32_t)from[i] - zero_point) * scale;
        }
    }
}
