/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_f32.h"

/* Two output channels that share their inputs; the second may be the first again. */
typedef struct {
    const float *w0;
    const float *w1;
    float acc0;
    float acc1;
} pair_t;

/* Sums over `count` consecutive inputs and weights, in their order. */
static void add_run(pair_t *pair, const float *in, size_t count)
{
    const float *const w0 = pair->w0;
    const float *const w1 = pair->w1;
    float acc0 = pair->acc0;
    float acc1 = pair->acc1;

    for (size_t i = 0U; i < count; i++) {
        const float value = in[i];

        acc0 += value * w0[i];
        acc1 += value * w1[i];
    }
    pair->acc0 = acc0;
    pair->acc1 = acc1;
    pair->w0 = &w0[count];
    pair->w1 = &w1[count];
}

static void skip(pair_t *pair, size_t count)
{
    pair->w0 = &pair->w0[count];
    pair->w1 = &pair->w1[count];
}

/* One row of the kernel whose taps [first_tap, end_tap) lie inside the input row. */
static void add_row(const mplan_conv2d_f32_t *p, pair_t *pair, const float *row, int32_t x_first,
                    size_t first_tap, size_t end_tap, size_t first_c)
{
    const size_t group_c = (size_t)p->in_c / p->groups;
    const size_t kernel_w = p->kernel_w;

    if ((row == NULL) || (first_tap >= end_tap)) {
        skip(pair, kernel_w * group_c);
    } else {
        const size_t step = (size_t)p->dilation_w * p->in_c;
        const int32_t x = x_first + ((int32_t)first_tap * (int32_t)p->dilation_w);
        const float *in = &row[((size_t)x * p->in_c) + first_c];

        skip(pair, first_tap * group_c);
        if (step == group_c) {
            add_run(pair, in, (end_tap - first_tap) * group_c);
        } else {
            for (size_t kx = first_tap; kx < end_tap; kx++) {
                add_run(pair, in, group_c);
                in = ((kx + 1U) < end_tap) ? &in[step] : in;
            }
        }
        skip(pair, (kernel_w - end_tap) * group_c);
    }
}

/* First kernel column inside a row that begins at x_first, and the one behind the last. */
static void columns_inside(const mplan_conv2d_f32_t *p, int32_t x_first, size_t *first, size_t *end)
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
static void conv_pixel(const mplan_conv2d_f32_t *p, const int8_t *in, float *out, int32_t y_first,
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
            const float *row = NULL;

            if ((y >= 0) && (y < (int32_t)p->in_h)) {
                row = (const float *)(const void *)&in[mplan_row(&p->in_rows, (size_t)y)];
            }
            add_row(p, &pair, row, x_first, first_tap, end_tap, group * group_in);
        }
        out[oc] = mplan_clamp_f32(pair.acc0, p->act_min, p->act_max);
        if (next != oc) {
            out[next] = mplan_clamp_f32(pair.acc1, p->act_min, p->act_max);
        }
        oc = next + 1U;
    }
}

MPLAN_KERNEL
void mplan_conv2d_f32(const mplan_conv2d_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        float *const row = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

            conv_pixel(p, in, &row[x * p->out_c], y_first, x_first);
        }
    }
}
