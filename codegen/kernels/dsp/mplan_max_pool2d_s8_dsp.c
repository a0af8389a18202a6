/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_max_pool2d_s8_dsp.h"

static uint32_t load(const int8_t *from)
{
    uint32_t word;

    (void)memcpy(&word, from, sizeof word); /* any address: one load */
    return word;
}

/* The larger of each of four bytes: a difference without saturation sets the flags to select. */
static uint32_t larger(uint32_t a, uint32_t b)
{
    uint32_t result;

    __asm volatile("ssub8 %0, %1, %2\n"
                   "sel %0, %1, %2"
                   : "=&r"(result)
                   : "r"(a), "r"(b)
                   : "cc");
    return result;
}

/* Raise the channels of an output pixel to those of one input pixel. */
static void take_larger(const int8_t *pixel, int8_t *out, size_t channels)
{
    size_t left = channels;

    for (; left >= 4U; left -= 4U) {
        const uint32_t word = larger(load(pixel), load(out));

        (void)memcpy(out, &word, sizeof word);
        pixel = &pixel[4];
        out = &out[4];
    }
    for (size_t c = 0U; c < left; c++) {
        if (pixel[c] > out[c]) {
            out[c] = pixel[c];
        }
    }
}

/* Raise an output pixel to the taps of one kernel row. */
static void raise_row(const mplan_max_pool2d_s8_dsp_t *p, const int8_t *row, int8_t *out,
                      int32_t x_first)
{
    for (size_t kx = 0U; kx < p->kernel_w; kx++) {
        const int32_t x = x_first + ((int32_t)kx * (int32_t)p->dilation_w);

        if ((x >= 0) && (x < (int32_t)p->in_w)) {
            take_larger(&row[(size_t)x * p->channels], out, p->channels);
        }
    }
}

MPLAN_KERNEL
void mplan_max_pool2d_s8_dsp(const mplan_max_pool2d_s8_dsp_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        (void)memset(to, -128, (size_t)p->out_w * p->channels);
        for (size_t ky = 0U; ky < p->kernel_h; ky++) {
            const int32_t from_y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);

            if ((from_y >= 0) && (from_y < (int32_t)p->in_h)) {
                const int8_t *const row = &in[mplan_row(&p->in_rows, (size_t)from_y)];

                for (size_t x = 0U; x < p->out_w; x++) {
                    const int32_t x_first =
                        ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;

                    raise_row(p, row, &to[x * p->channels], x_first);
                }
            }
        }
    }
}
