/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_f32_fpu.h"

#include "mplan_sums_f32_fpu.h"

/* Where the window of a pixel lies in the input. */
typedef struct {
    const int8_t *in;
    int32_t y_first;
    size_t first;   /* value of an input row at which the taps inside begin */
    size_t skipped; /* inputs of a kernel row before them */
    size_t count;   /* inputs of a kernel row inside */
} window_t;

/* Columns of the window that lie inside a row; one after the other, so that they are one run. */
static window_t window_at(const mplan_conv2d_f32_fpu_t *p, const int8_t *in, int32_t y_first,
                          int32_t x_first)
{
    const int32_t kernel = (int32_t)p->kernel_w;
    const int32_t low = mplan_clamp(-x_first, 0, kernel);
    const int32_t high = mplan_clamp((int32_t)p->in_w - x_first, low, kernel);
    window_t window;

    window.in = in;
    window.y_first = y_first;
    window.first = (high > low) ? ((size_t)(x_first + low) * p->in_c) : 0U;
    window.skipped = (size_t)low * p->in_c;
    window.count = (size_t)(high - low) * p->in_c;
    return window;
}

/* Eight sums, or four, over the rows of a window. */
static void sum_window(const mplan_conv2d_f32_fpu_t *p, const window_t *window,
                       const float *weights, size_t outputs, float *sums)
{
    const size_t line = (size_t)p->kernel_w * p->in_c * outputs;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const int32_t y = window->y_first + ((int32_t)ky * (int32_t)p->dilation_h);

        if ((y >= 0) && (y < (int32_t)p->in_h) && (window->count != 0U)) {
            const int8_t *const at = &window->in[mplan_row(&p->in_rows, (size_t)y)];
            const float *const row = &((const float *)(const void *)at)[window->first];
            const float *const taps = &weights[window->skipped * outputs];

            if (outputs == 8U) {
                (void)mplan_sum_eight_f32(row, window->count, taps, sums);
            } else {
                (void)mplan_sum_four_f32(row, window->count, taps, sums);
            }
        }
        weights = &weights[line];
    }
}

/* One output pixel, all channels. */
static void conv_pixel(const mplan_conv2d_f32_fpu_t *p, const window_t *window, float *out)
{
    const size_t filter = (size_t)p->kernel_h * p->kernel_w * p->in_c;
    float sums[8];

    for (size_t oc = 0U; oc < p->out_c; oc += 8U) {
        const size_t left = (size_t)p->out_c - oc;
        const size_t count = (left < 8U) ? left : 8U;

        (void)memcpy(sums, &p->bias[oc], sizeof sums);
        sum_window(p, window, &p->weights[oc * filter], (count > 4U) ? 8U : 4U, sums);
        mplan_store_sums_f32(sums, &out[oc], count, p->act_min, p->act_max);
    }
}

MPLAN_KERNEL
void mplan_conv2d_f32_fpu(const mplan_conv2d_f32_fpu_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        float *const row = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;
            const window_t window = window_at(p, in, y_first, x_first);

            conv_pixel(p, &window, &row[x * p->out_c]);
        }
    }
}
