/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_conv2d_pairs.h - convolution, two output channels at a time, for all element types.
 *
 * A kernel includes it behind what it brings: conv_t, its parameters; value_t, an input or
 * output; sum_t, an accumulator; pair_t, two output channels that share their inputs, with weights
 * w0 and w1 and sums acc0 and acc1; add_run(pair, in, count), which sums over consecutive inputs
 * and weights; and SCALE, which makes a result of a sum of integers. Of real values it brings
 * PADDING(p), the value of a padding element, add_padding() and conv_result() instead.
 */
#ifndef MPLAN_CONV2D_PAIRS_H
#define MPLAN_CONV2D_PAIRS_H

#include "mplan.h"

#ifdef SCALE
#define PADDING(p) ((p)->in_zero_point)

/* Sums over weights where every input is a padding element. */
static void add_padding(pair_t *pair, int32_t value, size_t count)
{
    int32_t sum0 = 0;
    int32_t sum1 = 0;

    for (size_t i = 0U; i < count; i++) {
        sum0 += (int32_t)pair->w0[i];
        sum1 += (int32_t)pair->w1[i];
    }
    pair->acc0 += (sum_t)value * (sum_t)sum0;
    pair->acc1 += (sum_t)value * (sum_t)sum1;
    pair->w0 = &pair->w0[count];
    pair->w1 = &pair->w1[count];
}

static value_t conv_result(const conv_t *p, sum_t acc, size_t oc)
{
    const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[oc] : 0U;
    const int32_t result = SCALE(acc, p->multiplier[oc], pre_shift) + p->out_zero_point;

    return (value_t)mplan_clamp(result, p->act_min, p->act_max);
}
#endif /* SCALE */

/* One row of the kernel whose taps [first_tap, end_tap) lie inside the input row. */
static void add_row(const conv_t *p, pair_t *pair, const value_t *row, int32_t x_first,
                    size_t first_tap, size_t end_tap, size_t first_c)
{
    const size_t group_c = (size_t)p->in_c / p->groups;
    const size_t kernel_w = p->kernel_w;

    if ((row == NULL) || (first_tap >= end_tap)) {
        add_padding(pair, PADDING(p), kernel_w * group_c);
    } else {
        const size_t step = (size_t)p->dilation_w * p->in_c;
        const int32_t x = x_first + ((int32_t)first_tap * (int32_t)p->dilation_w);
        const value_t *in = &row[((size_t)x * p->in_c) + first_c];

        add_padding(pair, PADDING(p), first_tap * group_c);
        if (step == group_c) {
            add_run(pair, in, (end_tap - first_tap) * group_c);
        } else {
            for (size_t kx = first_tap; kx < end_tap; kx++) {
                add_run(pair, in, group_c);
                in = ((kx + 1U) < end_tap) ? &in[step] : in;
            }
        }
        add_padding(pair, PADDING(p), (kernel_w - end_tap) * group_c);
    }
}

/* First kernel column inside a row that begins at x_first, and the one behind the last. */
static void columns_inside(const conv_t *p, int32_t x_first, size_t *first, size_t *end)
{
    const int32_t dilation = (int32_t)p->dilation_w;
    const int32_t kernel = (int32_t)p->kernel_w;
    const int32_t right = (int32_t)p->in_w - x_first; /* taps at less are inside */
    const int32_t low = (x_first < 0) ? ((dilation - 1 - x_first) / dilation) : 0;
    const int32_t high = (right > 0) ? ((right + dilation - 1) / dilation) : 0;

    *first = (size_t)mplan_clamp(low, 0, kernel);
    *end = (size_t)mplan_clamp(high, 0, kernel);
}

/* One output pixel, all channels. */
static void conv_pixel(const conv_t *p, const int8_t *in, value_t *out, int32_t y_first,
                       int32_t x_first)
{
    const size_t group_in = (size_t)p->in_c / p->groups;
    const size_t group_out = (size_t)p->out_c / p->groups;
    const size_t filter = (size_t)p->kernel_h * p->kernel_w * group_in;
    size_t first_tap;
    size_t end_tap;
    size_t oc = 0U;

    columns_inside(p, x_first, &first_tap, &end_tap);
    while (oc < p->out_c) {
        const size_t group = oc / group_out;
        const size_t next = ((oc + 1U) < ((group + 1U) * group_out)) ? (oc + 1U) : oc;
        pair_t pair;

        pair.w0 = &p->weights[oc * filter];
        pair.w1 = &p->weights[next * filter];
        pair.acc0 = p->bias[oc];
        pair.acc1 = p->bias[next];
        for (size_t ky = 0U; ky < p->kernel_h; ky++) {
            const int32_t y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);
            const value_t *row = NULL;

            if ((y >= 0) && (y < (int32_t)p->in_h)) {
                row = (const value_t *)(const void *)&in[mplan_row(&p->in_rows, (size_t)y)];
            }
            add_row(p, &pair, row, x_first, first_tap, end_tap, group * group_in);
        }
        out[oc] = conv_result(p, pair.acc0, oc);
        if (next != oc) {
            out[next] = conv_result(p, pair.acc1, next);
        }
        oc = next + 1U;
    }
}

#endif /* MPLAN_CONV2D_PAIRS_H */
