/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_pad_s8.h"

/* Input index of output index i along an axis of n elements; -1 where the border is constant. */
static int32_t source_of(uint32_t i, uint32_t before, uint32_t n, uint32_t mode)
{
    const int32_t size = (int32_t)n;
    int32_t at = (int32_t)i - (int32_t)before;

    if ((at < 0) || (at >= size)) {
        if (mode == MPLAN_PAD_EDGE) {
            at = mplan_clamp(at, 0, size - 1);
        } else if (mode == MPLAN_PAD_CONSTANT) {
            at = -1;
        } else {
            const int32_t mirrored = (size > 1) ? (2 * (size - 1)) : 1;
            const int32_t period = (mode == MPLAN_PAD_REFLECT) ? mirrored : size;

            at %= period;
            at += (at < 0) ? period : 0;
            at = (at >= size) ? (period - at) : at;
        }
    }
    return at;
}

/* One output pixel from an input pixel. */
static void pad_pixel(const mplan_pad_s8_t *p, const int8_t *in, int8_t *out)
{
    if (p->in_c == p->out_c) {
        (void)memcpy(out, in, p->in_c);
    } else {
        for (uint32_t c = 0U; c < p->out_c; c++) {
            const int32_t from = source_of(c, p->pad_front, p->in_c, p->mode);

            out[c] = (from < 0) ? p->value : in[from];
        }
    }
}

MPLAN_KERNEL
void mplan_pad_s8(const mplan_pad_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t from_y = source_of((uint32_t)y, p->pad_top, p->in_h, p->mode);
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        if (from_y < 0) {
            (void)memset(row, p->value, (size_t)p->out_w * p->out_c);
        } else {
            const int8_t *const from = &in[mplan_row(&p->in_rows, (size_t)from_y)];

            for (uint32_t x = 0U; x < p->out_w; x++) {
                const int32_t from_x = source_of(x, p->pad_left, p->in_w, p->mode);
                int8_t *const pixel = &row[(size_t)x * p->out_c];

                if (from_x < 0) {
                    (void)memset(pixel, p->value, p->out_c);
                } else {
                    pad_pixel(p, &from[(size_t)from_x * p->in_c], pixel);
                }
            }
        }
    }
}
