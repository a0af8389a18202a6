/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s16_dsp.h"

typedef mplan_conv2d_s16_dsp_t conv_t;

#define STEP MPLAN_HALVES_PAIR_STEP(MPLAN_HALVES_NARROW_PAIR)

#include "mplan_conv2d_halves_dsp.h"

MPLAN_KERNEL
void mplan_conv2d_s16_dsp(const mplan_conv2d_s16_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1, int8_t *scratch)
{
    const size_t taps = (size_t)p->kernel_h * p->kernel_w * p->in_c;
    int16_t *const patch = (int16_t *)(void *)scratch;
    int16_t *const patch2 = &patch[(taps + 3U) & ~(size_t)3U];

    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int16_t *const row = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x += 2U) {
            const size_t x2 = ((x + 1U) < p->out_w) ? (x + 1U) : x;
            const int32_t first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;
            const int32_t first2 = ((int32_t)x2 * (int32_t)p->stride_w) - (int32_t)p->pad_left;
            const int16_t *from = patch;
            const int16_t *from2 = patch2;

            if (p->is_direct != 0U) {
                const size_t place = mplan_row(&p->in_rows, y * p->stride_h);
                const int16_t *const line = (const int16_t *)(const void *)&in[place];

                from = &line[(size_t)first * p->in_c];
                from2 = &line[(size_t)first2 * p->in_c];
            } else {
                take(p, in, y_first, first, patch);
                take(p, in, y_first, first2, patch2);
            }
            two_pixels(p, from, from2, &row[x * p->out_c], &row[x2 * p->out_c]);
        }
    }
}
