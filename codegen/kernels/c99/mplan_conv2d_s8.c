/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s8.h"

/* Sum of one kernel row: taps outside the input read the zero point. */
static int32_t row_sum(const mplan_conv2d_s8_t *p, const int8_t *row, const int8_t *weights,
                       int32_t x_first, size_t first_c)
{
    const size_t group_c = (size_t)p->in_c / p->groups;
    int32_t sum = 0;

    for (size_t kx = 0U; kx < p->kernel_w; kx++) {
        const int32_t x = x_first + ((int32_t)kx * (int32_t)p->dilation_w);
        const int8_t *const w = &weights[kx * group_c];

        if ((row != NULL) && (x >= 0) && (x < (int32_t)p->in_w)) {
            const int8_t *const pixel = &row[((size_t)x * p->in_c) + first_c];

            for (size_t c = 0U; c < group_c; c++) {
                sum += (int32_t)pixel[c] * (int32_t)w[c];
            }
        } else {
            for (size_t c = 0U; c < group_c; c++) {
                sum += (int32_t)p->in_zero_point * (int32_t)w[c];
            }
        }
    }
    return sum;
}

/* One output pixel, all channels. */
static void pixel(const mplan_conv2d_s8_t *p, const int8_t *in, int8_t *out, int32_t y_first,
                  int32_t x_first)
{
    const size_t group_in = (size_t)p->in_c / p->groups;
    const size_t group_out = (size_t)p->out_c / p->groups;
    const size_t kernel_row = p->kernel_w * group_in;
    const int8_t *w = p->weights;

    for (size_t oc = 0U; oc < p->out_c; oc++) {
        const size_t first_c = (oc / group_out) * group_in;
        const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[oc] : 0U;
        int32_t acc = p->bias[oc];

        for (size_t ky = 0U; ky < p->kernel_h; ky++) {
            const int32_t y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);
            const int8_t *row = NULL;

            if ((y >= 0) && (y < (int32_t)p->in_h)) {
                row = &in[mplan_row(&p->in_rows, (size_t)y)];
            }
            acc += row_sum(p, row, w, x_first, first_c);
            w = &w[kernel_row];
        }
        acc = mplan_scale(acc, p->multiplier[oc], pre_shift) + p->out_zero_point;
        out[oc] = (int8_t)mplan_clamp(acc, p->act_min, p->act_max);
    }
}

void mplan_conv2d_s8(const mplan_conv2d_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

            pixel(p, in, &row[x * p->out_c], y_first, x_first);
        }
    }
}
