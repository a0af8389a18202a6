/* SPDX-License-Identifier: 0BSD */
#include "mplan_depthwise_conv2d_f32.h"

/* Where the window of a pixel lies: its first row and column, and kernel columns inside. */
typedef struct {
    const int8_t *in;
    int32_t y;
    int32_t x;
    size_t first;
    size_t end;
} window_t;

/* First kernel column inside a row that begins at x, and the one behind the last. */
static void columns_inside(const mplan_depthwise_conv2d_f32_t *p, window_t *window)
{
    const int32_t dilation = (int32_t)p->dilation_w;
    const int32_t kernel = (int32_t)p->kernel_w;
    const int32_t right = (int32_t)p->in_w - window->x; /* taps at less are inside */
    const int32_t low = (window->x < 0) ? ((dilation - 1 - window->x) / dilation) : 0;
    const int32_t high = (right > 0) ? ((right + dilation - 1) / dilation) : 0;

    window->first = (size_t)mplan_clamp(low, 0, kernel);
    window->end = (size_t)mplan_clamp(high, 0, kernel);
}

/* The input of channel c at the first tap inside in a kernel row; NULL: none is. */
static const float *line_of(const mplan_depthwise_conv2d_f32_t *p, const window_t *window,
                            size_t ky, size_t c)
{
    const int32_t y = window->y + ((int32_t)ky * (int32_t)p->dilation_h);
    const float *result = NULL;

    if ((y >= 0) && (y < (int32_t)p->in_h) && (window->first < window->end)) {
        const int8_t *const row = &window->in[mplan_row(&p->in_rows, (size_t)y)];
        const int32_t x = window->x + ((int32_t)window->first * (int32_t)p->dilation_w);

        result = &((const float *)(const void *)row)[((size_t)x * p->in_c) + c];
    }
    return result;
}

/* Four channels from c on. */
static void four(const mplan_depthwise_conv2d_f32_t *p, const window_t *window, size_t c,
                 float *out)
{
    const size_t channels = p->in_c;
    const size_t step = channels * p->dilation_w;
    float acc0 = p->bias[c];
    float acc1 = p->bias[c + 1U];
    float acc2 = p->bias[c + 2U];
    float acc3 = p->bias[c + 3U];

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const float *x = line_of(p, window, ky, c);
        const float *w = &p->weights[(((ky * p->kernel_w) + window->first) * channels) + c];

        for (size_t kx = window->first; (x != NULL) && (kx < window->end); kx++) {
            acc0 += x[0] * w[0];
            acc1 += x[1] * w[1];
            acc2 += x[2] * w[2];
            acc3 += x[3] * w[3];
            x = ((kx + 1U) < window->end) ? &x[step] : NULL;
            w = ((kx + 1U) < window->end) ? &w[channels] : w;
        }
    }
    out[c] = mplan_clamp_f32(acc0, p->act_min, p->act_max);
    out[c + 1U] = mplan_clamp_f32(acc1, p->act_min, p->act_max);
    out[c + 2U] = mplan_clamp_f32(acc2, p->act_min, p->act_max);
    out[c + 3U] = mplan_clamp_f32(acc3, p->act_min, p->act_max);
}

static void one(const mplan_depthwise_conv2d_f32_t *p, const window_t *window, size_t c, float *out)
{
    const size_t channels = p->in_c;
    const size_t step = channels * p->dilation_w;
    float acc = p->bias[c];

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const float *x = line_of(p, window, ky, c);
        const float *w = &p->weights[(((ky * p->kernel_w) + window->first) * channels) + c];

        for (size_t kx = window->first; (x != NULL) && (kx < window->end); kx++) {
            acc += x[0] * w[0];
            x = ((kx + 1U) < window->end) ? &x[step] : NULL;
            w = ((kx + 1U) < window->end) ? &w[channels] : w;
        }
    }
    out[c] = mplan_clamp_f32(acc, p->act_min, p->act_max);
}

MPLAN_KERNEL
void mplan_depthwise_conv2d_f32(const mplan_depthwise_conv2d_f32_t *p, const int8_t *in,
                                int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        float *const row = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            window_t window = {in, 0, 0, 0U, 0U};
            size_t c = 0U;

            window.y = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
            window.x = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;
            columns_inside(p, &window);
            for (; (c + 4U) <= p->in_c; c += 4U) {
                four(p, &window, c, &row[x * p->in_c]);
            }
            for (; c < p->in_c; c++) {
                one(p, &window, c, &row[x * p->in_c]);
            }
        }
    }
}
