/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s8_w4.h"

/* Two output channels that share their inputs; the second may be the first again. */
typedef struct {
    const uint8_t *w0;
    const uint8_t *w1;
    size_t at; /* weights of either that are summed */
    int32_t acc0;
    int32_t acc1;
} half_pair_t;

static int32_t low_half(uint8_t both)
{
    return (int32_t)(((uint32_t)both & 15U) ^ 8U) - 8;
}

static int32_t high_half(uint8_t both)
{
    return (int32_t)(((uint32_t)both >> 4U) ^ 8U) - 8;
}

/* One input and its weights. */
static void add_one(half_pair_t *pair, int32_t value)
{
    const uint8_t both0 = pair->w0[pair->at / 2U];
    const uint8_t both1 = pair->w1[pair->at / 2U];
    const int odd = ((pair->at % 2U) != 0U) ? 1 : 0;

    pair->acc0 += value * ((odd != 0) ? high_half(both0) : low_half(both0));
    pair->acc1 += value * ((odd != 0) ? high_half(both1) : low_half(both1));
    pair->at++;
}

/* Twos of weights that share a byte, and inputs `apart` from one another. */
static void add_twos(half_pair_t *pair, const int8_t *in, size_t apart, size_t twos)
{
    const uint8_t *const w0 = &pair->w0[pair->at / 2U];
    const uint8_t *const w1 = &pair->w1[pair->at / 2U];
    int32_t acc0 = pair->acc0;
    int32_t acc1 = pair->acc1;

    for (size_t i = 0U; i < twos; i++) {
        const int32_t x0 = in[2U * i * apart];
        const int32_t x1 = in[((2U * i) + 1U) * apart];

        acc0 += (x0 * low_half(w0[i])) + (x1 * high_half(w0[i]));
        acc1 += (x0 * low_half(w1[i])) + (x1 * high_half(w1[i]));
    }
    pair->acc0 = acc0;
    pair->acc1 = acc1;
    pair->at += 2U * twos;
}

/* Sums over the weights that follow and `count` inputs, `apart` from one another: 1, or 0. */
static void add_run(half_pair_t *pair, const int8_t *in, size_t apart, size_t count)
{
    const size_t odd = ((count > 0U) && ((pair->at % 2U) != 0U)) ? 1U : 0U;
    const size_t twos = (count - odd) / 2U;

    if (odd > 0U) {
        add_one(pair, in[0]);
    }
    if (twos > 0U) {
        add_twos(pair, &in[odd * apart], apart, twos);
    }
    if ((odd + (2U * twos)) < count) {
        add_one(pair, in[(count - 1U) * apart]);
    }
}

/* One row of the kernel whose taps [first_tap, end_tap) lie inside the input row. */
static void add_half_row(const mplan_conv2d_s8_w4_t *p, half_pair_t *pair, const int8_t *row,
                         int32_t x_first, size_t first_tap, size_t end_tap, size_t first_c)
{
    const size_t group_c = (size_t)p->in_c / p->groups;
    const size_t kernel_w = p->kernel_w;

    if ((row == NULL) || (first_tap >= end_tap)) {
        add_run(pair, &p->in_zero_point, 0U, kernel_w * group_c);
    } else {
        const size_t step = (size_t)p->dilation_w * p->in_c;
        const int32_t x = x_first + ((int32_t)first_tap * (int32_t)p->dilation_w);
        const int8_t *in = &row[((size_t)x * p->in_c) + first_c];

        add_run(pair, &p->in_zero_point, 0U, first_tap * group_c);
        if (step == group_c) {
            add_run(pair, in, 1U, (end_tap - first_tap) * group_c);
        } else {
            for (size_t kx = first_tap; kx < end_tap; kx++) {
                add_run(pair, in, 1U, group_c);
                in = ((kx + 1U) < end_tap) ? &in[step] : in;
            }
        }
        add_run(pair, &p->in_zero_point, 0U, (kernel_w - end_tap) * group_c);
    }
}

static int8_t half_result(const mplan_conv2d_s8_w4_t *p, int32_t acc, size_t oc)
{
    const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[oc] : 0U;
    const int32_t result = mplan_scale(acc, p->multiplier[oc], pre_shift) + p->out_zero_point;

    return (int8_t)mplan_clamp(result, p->act_min, p->act_max);
}

/* First kernel column inside a row that begins at x_first, and the one behind the last. */
static void half_columns_inside(const mplan_conv2d_s8_w4_t *p, int32_t x_first, size_t *first,
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
static void half_pixel(const mplan_conv2d_s8_w4_t *p, const int8_t *in, int8_t *out,
                       int32_t y_first, int32_t x_first)
{
    const size_t group_in = (size_t)p->in_c / p->groups;
    const size_t group_out = (size_t)p->out_c / p->groups;
    const size_t filter = (((size_t)p->kernel_h * p->kernel_w * group_in) + 1U) / 2U; /* bytes */
    size_t first_tap;
    size_t end_tap;
    size_t oc = 0U;

    half_columns_inside(p, x_first, &first_tap, &end_tap);
    while (oc < p->out_c) {
        const size_t group = oc / group_out;
        const size_t next = ((oc + 1U) < ((group + 1U) * group_out)) ? (oc + 1U) : oc;
        half_pair_t pair;

        pair.w0 = &p->weights[oc * filter];
        pair.w1 = &p->weights[next * filter];
        pair.at = 0U;
        pair.acc0 = p->bias[oc];
        pair.acc1 = p->bias[next];
        for (size_t ky = 0U; ky < p->kernel_h; ky++) {
            const int32_t y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);
            const int8_t *row = NULL;

            if ((y >= 0) && (y < (int32_t)p->in_h)) {
                row = &in[mplan_row(&p->in_rows, (size_t)y)];
            }
            add_half_row(p, &pair, row, x_first, first_tap, end_tap, group * group_in);
        }
        out[oc] = half_result(p, pair.acc0, oc);
        if (next != oc) {
            out[next] = half_result(p, pair.acc1, next);
        }
        oc = next + 1U;
    }
}

MPLAN_KERNEL
void mplan_conv2d_s8_w4(const mplan_conv2d_s8_w4_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

            half_pixel(p, in, &row[x * p->out_c], y_first, x_first);
        }
    }
}
