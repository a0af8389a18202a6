/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s8_w16.h"

typedef mplan_conv2d_s8_w16_t conv_t;
typedef int8_t value_t;
typedef int32_t sum_t;

#define SCALE mplan_scale

/* Two output channels that share their inputs; the second may be the first again. */
typedef struct {
    const int16_t *w0;
    const int16_t *w1;
    sum_t acc0;
    sum_t acc1;
} pair_t;

/* Sums over `count` consecutive inputs and weights. */
static void add_run(pair_t *pair, const int8_t *in, size_t count)
{
    const int16_t *const w0 = pair->w0;
    const int16_t *const w1 = pair->w1;
    int32_t acc0 = pair->acc0;
    int32_t acc1 = pair->acc1;
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
    pair->acc0 = acc0;
    pair->acc1 = acc1;
    pair->w0 = &w0[count];
    pair->w1 = &w1[count];
}

#include "mplan_conv2d_pairs.h"

MPLAN_KERNEL
void mplan_conv2d_s8_w16(const mplan_conv2d_s8_w16_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

            conv_pixel(p, in, &row[x * p->out_c], y_first, x_first);
        }
    }
}
