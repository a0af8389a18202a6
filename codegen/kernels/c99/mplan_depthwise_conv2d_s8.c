/* SPDX-License-Identifier: 0BSD */
#include "mplan_depthwise_conv2d_s8.h"

#define BLOCK (8U) /* output channels summed side by side */

/* Add one tap of `count` channels from oc on; outside the input it reads the zero point. */
static void add_tap(const mplan_depthwise_conv2d_s8_t *p, const int8_t *pixel, const int8_t *w,
                    int32_t *acc, size_t oc, size_t count)
{
    if (pixel == NULL) {
        for (size_t i = 0U; i < count; i++) {
            acc[i] += (int32_t)p->in_zero_point * (int32_t)w[i];
        }
    } else if (p->in_c == p->out_c) {
        const int8_t *const from = &pixel[oc];

        for (size_t i = 0U; i < count; i++) {
            acc[i] += (int32_t)from[i] * (int32_t)w[i];
        }
    } else {
        const size_t multiplier = (size_t)p->out_c / p->in_c;

        for (size_t i = 0U; i < count; i++) {
            acc[i] += (int32_t)pixel[(oc + i) / multiplier] * (int32_t)w[i];
        }
    }
}

/* Sums of `count` channels from oc on, over the window at (y_first, x_first). */
static void block_sums(const mplan_depthwise_conv2d_s8_t *p, const int8_t *in, int32_t *acc,
                       int32_t y_first, int32_t x_first, size_t oc, size_t count)
{
    size_t tap = oc; /* its first weight */

    for (size_t i = 0U; i < count; i++) {
        acc[i] = p->bias[oc + i];
    }
    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const int32_t y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);
        const int8_t *row = NULL;

        if ((y >= 0) && (y < (int32_t)p->in_h)) {
            row = &in[mplan_row(&p->in_rows, (size_t)y)];
        }
        for (size_t kx = 0U; kx < p->kernel_w; kx++) {
            const int32_t x = x_first + ((int32_t)kx * (int32_t)p->dilation_w);
            const int8_t *pixel = NULL;

            if ((row != NULL) && (x >= 0) && (x < (int32_t)p->in_w)) {
                pixel = &row[(size_t)x * p->in_c];
            }
            add_tap(p, pixel, &p->weights[tap], acc, oc, count);
            tap += p->out_c;
        }
    }
}

/* One output pixel, all channels. */
static void depthwise_pixel(const mplan_depthwise_conv2d_s8_t *p, const int8_t *in, int8_t *out,
                            int32_t y_first, int32_t x_first)
{
    int32_t acc[BLOCK];

    for (size_t oc = 0U; oc < p->out_c; oc += BLOCK) {
        const size_t left = (size_t)p->out_c - oc;
        const size_t count = (left < BLOCK) ? left : BLOCK;

        block_sums(p, in, acc, y_first, x_first, oc, count);
        for (size_t i = 0U; i < count; i++) {
            const size_t c = oc + i;
            const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[c] : 0U;
            const int32_t result =
                mplan_scale(acc[i], p->multiplier[c], pre_shift) + p->out_zero_point;

            out[c] = (int8_t)mplan_clamp(result, p->act_min, p->act_max);
        }
    }
}

void mplan_depthwise_conv2d_s8(const mplan_depthwise_conv2d_s8_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

            depthwise_pixel(p, in, &row[x * p->out_c], y_first, x_first);
        }
    }
}
