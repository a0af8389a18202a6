/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s16.h"
#include "mplan_wide_s16.h"

/* Two output channels that share their inputs; the second may be the first again. */
typedef struct {
    const int8_t *w0;
    const int8_t *w1;
    int64_t acc0;
    int64_t acc1;
} wide_pair_t;

/* Sums over `count` consecutive inputs and weights, at most MPLAN_WIDE_RUN. */
static void add_part(wide_pair_t *pair, const int16_t *in, size_t count)
{
    const int8_t *const w0 = pair->w0;
    const int8_t *const w1 = pair->w1;
    int32_t acc0 = 0;
    int32_t acc1 = 0;
    size_t i = 0U;

    for (; (i + 3U) < count; i += 4U) {
        acc0 += (int32_t)in[i] * (int32_t)w0[i];
        acc1 += (int32_t)in[i] * (int32_t)w1[i];
        acc0 += (int32_t)in[i + 1U] * (int32_t)w0[i + 1U];
        acc1 += (int32_t)in[i + 1U] * (int32_t)w1[i + 1U];
        acc0 += (int32_t)in[i + 2U] * (int32_t)w0[i + 2U];
        acc1 += (int32_t)in[i + 2U] * (int32_t)w1[i + 2U];
        acc0 += (int32_t)in[i + 3U] * (int32_t)w0[i + 3U];
        acc1 += (int32_t)in[i + 3U] * (int32_t)w1[i + 3U];
    }
    for (; i < count; i++) {
        acc0 += (int32_t)in[i] * (int32_t)w0[i];
        acc1 += (int32_t)in[i] * (int32_t)w1[i];
    }
    pair->acc0 += acc0;
    pair->acc1 += acc1;
    pair->w0 = &w0[count];
    pair->w1 = &w1[count];
}

static void add_run(wide_pair_t *pair, const int16_t *in, size_t count)
{
    size_t left = count;

    while (left > 0U) {
        const size_t part = (left < MPLAN_WIDE_RUN) ? left : MPLAN_WIDE_RUN;

        add_part(pair, &in[count - left], part);
        left -= part;
    }
}

/* The same where every input is a padding element. */
static void add_padding(wide_pair_t *pair, int32_t value, size_t count)
{
    int32_t sum0 = 0;
    int32_t sum1 = 0;

    for (size_t i = 0U; i < count; i++) {
        sum0 += (int32_t)pair->w0[i];
        sum1 += (int32_t)pair->w1[i];
    }
    pair->acc0 += (int64_t)value * (int64_t)sum0;
    pair->acc1 += (int64_t)value * (int64_t)sum1;
    pair->w0 = &pair->w0[count];
    pair->w1 = &pair->w1[count];
}

/* One row of the kernel whose taps [first_tap, end_tap) lie inside the input row. */
static void add_row(const mplan_conv2d_s16_t *p, wide_pair_t *pair, const int16_t *row,
                    int32_t x_first, size_t first_tap, size_t end_tap, size_t first_c)
{
    const size_t group_c = (size_t)p->in_c / p->groups;
    const size_t kernel_w = p->kernel_w;

    if ((row == NULL) || (first_tap >= end_tap)) {
        add_padding(pair, p->in_zero_point, kernel_w * group_c);
    } else {
        const size_t step = (size_t)p->dilation_w * p->in_c;
        const int32_t x = x_first + ((int32_t)first_tap * (int32_t)p->dilation_w);
        const int16_t *in = &row[((size_t)x * p->in_c) + first_c];

        add_padding(pair, p->in_zero_point, first_tap * group_c);
        if (step == group_c) {
            add_run(pair, in, (end_tap - first_tap) * group_c);
        } else {
            for (size_t kx = first_tap; kx < end_tap; kx++) {
                add_run(pair, in, group_c);
                in = ((kx + 1U) < end_tap) ? &in[step] : in;
            }
        }
        add_padding(pair, p->in_zero_point, (kernel_w - end_tap) * group_c);
    }
}

static int16_t wide_result(const mplan_conv2d_s16_t *p, int64_t acc, size_t oc)
{
    const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[oc] : 0U;
    const int32_t result = mplan_scale_wide(acc, p->multiplier[oc], pre_shift) + p->out_zero_point;

    return (int16_t)mplan_clamp(result, p->act_min, p->act_max);
}

/* First kernel column inside a row that begins at x_first, and the one behind the last. */
static void columns_inside(const mplan_conv2d_s16_t *p, int32_t x_first, size_t *first,
                           size_t *end)
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
static void wide_pixel(const mplan_conv2d_s16_t *p, const int8_t *in, int16_t *out,
                       int32_t y_first, int32_t x_first)
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
        wide_pair_t pair;

        pair.w0 = &p->weights[oc * filter];
        pair.w1 = &p->weights[next * filter];
        pair.acc0 = p->bias[oc];
        pair.acc1 = p->bias[next];
        for (size_t ky = 0U; ky < p->kernel_h; ky++) {
            const int32_t y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);
            const int16_t *row = NULL;

            if ((y >= 0) && (y < (int32_t)p->in_h)) {
                row = (const int16_t *)(const void *)&in[mplan_row(&p->in_rows, (size_t)y)];
            }
            add_row(p, &pair, row, x_first, first_tap, end_tap, group * group_in);
        }
        out[oc] = wide_result(p, pair.acc0, oc);
        if (next != oc) {
            out[next] = wide_result(p, pair.acc1, next);
        }
        oc = next + 1U;
    }
}

MPLAN_KERNEL
void mplan_conv2d_s16(const mplan_conv2d_s16_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int16_t *const row = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

            wide_pixel(p, in, &row[x * p->out_c], y_first, x_first);
        }
    }
}
