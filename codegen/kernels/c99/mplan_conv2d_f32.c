/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_f32.h"

typedef mplan_conv2d_f32_t conv_t;
typedef float value_t;
typedef float sum_t;

/* Two output channels that share their inputs; the second may be the first again. */
typedef struct {
    const float *w0;
    const float *w1;
    sum_t acc0;
    sum_t acc1;
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

#define PADDING(p) (0)

/* Padding takes no part in a sum. */
static void add_padding(pair_t *pair, int32_t value, size_t count)
{
    (void)value;
    pair->w0 = &pair->w0[count];
    pair->w1 = &pair->w1[count];
}

static value_t conv_result(const conv_t *p, sum_t acc, size_t oc)
{
    (void)oc;
    return mplan_clamp_f32(acc, p->act_min, p->act_max);
}

#include "mplan_conv2d_pairs.h"

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
