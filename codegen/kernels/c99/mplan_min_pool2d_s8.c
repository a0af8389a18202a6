/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_min_pool2d_s8.h"

/* Lower the channels of an output pixel to those of the taps of one kernel row. */
static void lower_row(const mplan_min_pool2d_s8_t *p, const int8_t *row, int8_t *out,
                      int32_t x_first)
{
    for (size_t kx = 0U; kx < p->kernel_w; kx++) {
        const int32_t x = x_first + ((int32_t)kx * (int32_t)p->dilation_w);

        if ((x >= 0) && (x < (int32_t)p->in_w)) {
            const int8_t *const pixel = &row[(size_t)x * p->channels];

            for (size_t c = 0U; c < p->channels; c++) {
                if (pixel[c] < out[c]) {
                    out[c] = pixel[c];
                }
            }
        }
    }
}

MPLAN_KERNEL
void mplan_min_pool2d_s8(const mplan_min_pool2d_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        (void)memset(to, 127, (size_t)p->out_w * p->channels);
        for (size_t ky = 0U; ky < p->kernel_h; ky++) {
            const int32_t from_y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);

            if ((from_y >= 0) && (from_y < (int32_t)p->in_h)) {
                const int8_t *const row = &in[mplan_row(&p->in_rows, (size_t)from_y)];

                for (size_t x = 0U; x < p->out_w; x++) {
                    const int32_t x_first =
                        ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

                    lower_row(p, row, &to[x * p->channels], x_first);
                }
            }
        }
    }
}
