/* SPDX-License-Identifier: 0BSD */
#include "mplan_depthwise_conv2d_s16.h"
#include "mplan_wide_s16.h"

/* The input row under kernel row ky, and the pixel under column kx; NULL in the padding. */
static const int16_t *tap_row(const mplan_depthwise_conv2d_s16_t *p, const int8_t *in,
                              int32_t y_first, size_t ky)
{
    const int32_t y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);
    const int16_t *row = NULL;

    if ((y >= 0) && (y < (int32_t)p->in_h)) {
        row = (const int16_t *)(const void *)&in[mplan_row(&p->in_rows, (size_t)y)];
    }
    return row;
}

static const int16_t *tap_pixel(const mplan_depthwise_conv2d_s16_t *p, const int16_t *row,
                                int32_t x_first, size_t kx)
{
    const int32_t x = x_first + ((int32_t)kx * (int32_t)p->dilation_w);
    const int16_t *pixel = NULL;

    if ((row != NULL) && (x >= 0) && (x < (int32_t)p->in_w)) {
        pixel = &row[(size_t)x * p->in_c];
    }
    return pixel;
}

/* Sum of one output channel that reads input channel c. */
static int64_t sum_one(const mplan_depthwise_conv2d_s16_t *p, const int8_t *in, int32_t y_first,
                       int32_t x_first, size_t oc, size_t c)
{
    size_t tap = oc;
    int64_t acc = p->bias[oc];

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const int16_t *const row = tap_row(p, in, y_first, ky);

        for (size_t kx = 0U; kx < p->kernel_w; kx++) {
            const int16_t *const pixel = tap_pixel(p, row, x_first, kx);
            const int32_t value = (pixel != NULL) ? pixel[c] : p->in_zero_point;

            acc += value * (int32_t)p->weights[tap];
            tap += p->out_c;
        }
    }
    return acc;
}

/* Sums of four output channels from c on, each of which reads the input channel of its number. */
static void sum_four(const mplan_depthwise_conv2d_s16_t *p, const int8_t *in, int32_t y_first,
                     int32_t x_first, size_t c, int64_t sums[4])
{
    const int16_t *w = &p->weights[c];
    const int32_t zero = p->in_zero_point;
    size_t taps = (size_t)p->kernel_h * p->kernel_w;
    int64_t acc0 = p->bias[c];
    int64_t acc1 = p->bias[c + 1U];
    int64_t acc2 = p->bias[c + 2U];
    int64_t acc3 = p->bias[c + 3U];

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const int16_t *const row = tap_row(p, in, y_first, ky);

        for (size_t kx = 0U; kx < p->kernel_w; kx++) {
            const int16_t *pixel = tap_pixel(p, row, x_first, kx);

            if (pixel != NULL) {
                pixel = &pixel[c];
                acc0 += (int32_t)pixel[0] * (int32_t)w[0];
                acc1 += (int32_t)pixel[1] * (int32_t)w[1];
                acc2 += (int32_t)pixel[2] * (int32_t)w[2];
                acc3 += (int32_t)pixel[3] * (int32_t)w[3];
            } else {
                acc0 += zero * (int32_t)w[0];
                acc1 += zero * (int32_t)w[1];
                acc2 += zero * (int32_t)w[2];
                acc3 += zero * (int32_t)w[3];
            }
            taps--;
            w = (taps > 0U) ? &w[p->out_c] : w;
        }
    }
    sums[0] = acc0;
    sums[1] = acc1;
    sums[2] = acc2;
    sums[3] = acc3;
}

static int16_t depthwise_result(const mplan_depthwise_conv2d_s16_t *p, int64_t acc, size_t oc)
{
    const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[oc] : 0U;
    const int32_t result = mplan_scale_wide(acc, p->multiplier[oc], pre_shift) + p->out_zero_point;

    return (int16_t)mplan_clamp(result, p->act_min, p->act_max);
}

/* One output pixel, all channels. */
static void depthwise_pixel(const mplan_depthwise_conv2d_s16_t *p, const int8_t *in, int16_t *out,
                            int32_t y_first, int32_t x_first)
{
    const size_t per_channel = (size_t)p->out_c / p->in_c;
    const size_t fours = (per_channel == 1U) ? ((size_t)p->out_c & ~(size_t)3U) : 0U;
    int64_t sums[4];

    for (size_t oc = 0U; oc < fours; oc += 4U) {
        sum_four(p, in, y_first, x_first, oc, sums);
        for (size_t i = 0U; i < 4U; i++) {
            out[oc + i] = depthwise_result(p, sums[i], oc + i);
        }
    }
    for (size_t oc = fours; oc < p->out_c; oc++) {
        out[oc] = depthwise_result(p, sum_one(p, in, y_first, x_first, oc, oc / per_channel), oc);
    }
}

MPLAN_KERNEL
void mplan_depthwise_conv2d_s16(const mplan_depthwise_conv2d_s16_t *p, const int8_t *in,
                                int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int16_t *const row = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

            depthwise_pixel(p, in, &row[x * p->out_c], y_first, x_first);
        }
    }
}
