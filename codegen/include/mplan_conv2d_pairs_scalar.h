/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_conv2d_pairs_scalar.h - convolution of two pixels at a time, for weights of any type.
 *
 * A kernel includes it behind conv_t, its parameters, CHANNELS, how many it takes together, and
 * products().
 */
#ifndef MPLAN_CONV2D_PAIRS_SCALAR_H
#define MPLAN_CONV2D_PAIRS_SCALAR_H

#include <string.h>

#include "mplan_pixel_pairs.h"

/* Where an output pixel looks, and where it goes. */
typedef struct {
    int32_t y; /* first input row and column of its window, padding is below 0 */
    int32_t x;
    value_t *out;
} pixel_t;

/* Sets `count` elements of padding. */
static inline void fill(value_t *to, value_t value, size_t count)
{
#if defined(HALVES)
    for (size_t i = 0U; i < count; i++) {
        to[i] = value;
    }
#else
    (void)memset(to, value, count);
#endif
}

/* Kernel row `y` of a window: in the input where all of it lies there, else a copy in `spare`. */
static const value_t *line_of(const conv_t *p, const int8_t *in, value_t *spare, int32_t y,
                              int32_t x)
{
    const int32_t reach = ((int32_t)p->kernel_w - 1) * (int32_t)p->dilation_w;
    const value_t *row = NULL;
    value_t *to = spare;

    if ((y >= 0) && (y < (int32_t)p->in_h)) {
        row = (const value_t *)(const void *)&in[mplan_row(&p->in_rows, (size_t)y)];
    }
    if ((row != NULL) && (x >= 0) && ((x + reach) < (int32_t)p->in_w) &&
        ((p->dilation_w == 1U) || (reach == 0))) {
        return &row[(size_t)x * p->in_c];
    }
    for (int32_t column = x; column <= (x + reach); column += (int32_t)p->dilation_w) {
        if ((row != NULL) && (column >= 0) && (column < (int32_t)p->in_w)) {
            (void)memcpy(to, &row[(size_t)column * p->in_c], p->in_c * sizeof(value_t));
        } else {
            fill(to, p->in_zero_point, p->in_c);
        }
        to = &to[p->in_c];
    }
    return spare;
}

/* All channels of two output pixels. */
static void two_pixels(const conv_t *p, const int8_t *in, const pixel_t pixels[2],
                       int8_t *scratch)
{
    int32_t *const patch = (int32_t *)(void *)scratch;
    int32_t *const sums = &patch[p->taps];
    const size_t words = 2U * CHANNELS * (((size_t)p->out_c + CHANNELS - 1U) / CHANNELS);
    const size_t count = (size_t)p->kernel_w * p->in_c;
    value_t *const spare = (value_t *)(void *)&sums[words];
    const outputs_t outputs = {pixels[0].out,     pixels[1].out, (int32_t)p->out_c,
                               p->out_zero_point, p->act_min,    p->act_max};
    int32_t *to = patch;
    int32_t below = 0;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const value_t *const line = line_of(p, in, spare, pixels[0].y + below, pixels[0].x);
        const value_t *const line1 =
            line_of(p, in, &spare[count], pixels[1].y + below, pixels[1].x);

        to = join(line, line1, to, count);
        below += (int32_t)p->dilation_h;
    }
    products(p, patch, sums, &p->bias[words]);
    finish(sums, p->multiplier, &outputs);
}

/* Output rows [y0, y1). */
static inline void conv2d_pairs(const conv_t *p, const int8_t *in, int8_t *out, size_t y0,
                                size_t y1, int8_t *scratch)
{
    pixel_t pixels[2];
    size_t found = 0U;

    for (size_t y = y0; y < y1; y++) {
        value_t *to = (value_t *)(void *)&out[mplan_row(&p->out_rows, y)];
        int32_t x_first = -(int32_t)p->pad_left;

        for (size_t x = p->out_w; x > 0U; x--) {
            pixels[found].y = (int32_t)(y * p->stride_h) - (int32_t)p->pad_top;
            pixels[found].x = x_first;
            pixels[found].out = to;
            found++;
            if (found == 2U) {
                two_pixels(p, in, pixels, scratch);
                found = 0U;
            }
            x_first += (int32_t)p->stride_w;
            to = &to[p->out_c];
        }
    }
    if (found == 1U) {
        pixels[1] = pixels[0];
        two_pixels(p, in, pixels, scratch);
    }
}

#endif /* MPLAN_CONV2D_PAIRS_SCALAR_H */
