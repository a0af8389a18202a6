/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s8_w4b.h"

/* Two output channels that share their inputs; the second may be the first again. */
typedef struct {
    const uint8_t *w0;
    const uint8_t *w1;
    size_t block;
    int32_t acc0;
    int32_t acc1;
} block_pair_t;

static int32_t low_part(uint8_t both)
{
    return (int32_t)(((uint32_t)both & 15U) ^ 8U) - 8;
}

static int32_t high_part(uint8_t both)
{
    return (int32_t)(((uint32_t)both >> 4U) ^ 8U) - 8;
}

/* One block of `count` inputs, `apart` from one another: 1, or 0. */
static void add_block(block_pair_t *pair, const int8_t *in, size_t apart, size_t count)
{
    const uint8_t *const w0 = &pair->w0[1];
    const uint8_t *const w1 = &pair->w1[1];
    const size_t twos = count / 2U;
    int32_t sum0 = 0;
    int32_t sum1 = 0;

    for (size_t i = 0U; i < twos; i++) {
        const int32_t x0 = in[2U * i * apart];
        const int32_t x1 = in[((2U * i) + 1U) * apart];

        sum0 += (x0 * low_part(w0[i])) + (x1 * high_part(w0[i]));
        sum1 += (x0 * low_part(w1[i])) + (x1 * high_part(w1[i]));
    }
    if ((count % 2U) != 0U) {
        const int32_t x = in[2U * twos * apart];

        sum0 += x * low_part(w0[twos]);
        sum1 += x * low_part(w1[twos]);
    }
    pair->acc0 += (int32_t)pair->w0[0] * sum0;
    pair->acc1 += (int32_t)pair->w1[0] * sum1;
    pair->w0 = &pair->w0[1U + ((count + 1U) / 2U)];
    pair->w1 = &pair->w1[1U + ((count + 1U) / 2U)];
}

/* One tap: `count` inputs, block by block. */
static void add_tap(block_pair_t *pair, const int8_t *in, size_t apart, size_t count)
{
    for (size_t first = 0U; first < count; first += pair->block) {
        const size_t left = count - first;

        add_block(pair, &in[first * apart], apart, (left < pair->block) ? left : pair->block);
    }
}

/* One row of the kernel, whose input row may be none. */
static void add_tap_row(const mplan_conv2d_s8_w4b_t *p, block_pair_t *pair, const int8_t *row,
                        int32_t x_first, size_t first_c)
{
    const size_t group_c = (size_t)p->in_c / p->groups;

    for (size_t kx = 0U; kx < p->kernel_w; kx++) {
        const int32_t x = x_first + ((int32_t)kx * (int32_t)p->dilation_w);

        if ((row != NULL) && (x >= 0) && (x < (int32_t)p->in_w)) {
            add_tap(pair, &row[((size_t)x * p->in_c) + first_c], 1U, group_c);
        } else {
            add_tap(pair, &p->in_zero_point, 0U, group_c);
        }
    }
}

static int8_t block_result(const mplan_conv2d_s8_w4b_t *p, int32_t acc, size_t oc)
{
    const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[oc] : 0U;
    const int32_t result = mplan_scale(acc, p->multiplier[oc], pre_shift) + p->out_zero_point;

    return (int8_t)mplan_clamp(result, p->act_min, p->act_max);
}

/* Bytes of the weights of one output channel. */
static size_t block_filter(const mplan_conv2d_s8_w4b_t *p)
{
    const size_t group_c = (size_t)p->in_c / p->groups;
    const size_t blocks = (group_c + p->block - 1U) / p->block;

    return (size_t)p->kernel_h * p->kernel_w * (blocks + ((group_c + 1U) / 2U));
}

/* One output pixel, all channels. */
static void block_pixel(const mplan_conv2d_s8_w4b_t *p, const int8_t *in, int8_t *out,
                        int32_t y_first, int32_t x_first)
{
    const size_t group_in = (size_t)p->in_c / p->groups;
    const size_t group_out = (size_t)p->out_c / p->groups;
    const size_t filter = block_filter(p);
    size_t oc = 0U;

    while (oc < p->out_c) {
        const size_t group = oc / group_out;
        const size_t next = ((oc + 1U) < ((group + 1U) * group_out)) ? (oc + 1U) : oc;
        block_pair_t pair;

        pair.w0 = &p->weights[oc * filter];
        pair.w1 = &p->weights[next * filter];
        pair.block = p->block;
        pair.acc0 = p->bias[oc];
        pair.acc1 = p->bias[next];
        for (size_t ky = 0U; ky < p->kernel_h; ky++) {
            const int32_t y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);
            const int8_t *row = NULL;

            if ((y >= 0) && (y < (int32_t)p->in_h)) {
                row = &in[mplan_row(&p->in_rows, (size_t)y)];
            }
            add_tap_row(p, &pair, row, x_first, group * group_in);
        }
        out[oc] = block_result(p, pair.acc0, oc);
        if (next != oc) {
            out[next] = block_result(p, pair.acc1, next);
        }
        oc = next + 1U;
    }
}

MPLAN_KERNEL
void mplan_conv2d_s8_w4b(const mplan_conv2d_s8_w4b_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

            block_pixel(p, in, &row[x * p->out_c], y_first, x_first);
        }
    }
}
