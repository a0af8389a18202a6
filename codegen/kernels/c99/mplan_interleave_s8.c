/* SPDX-License-Identifier: 0BSD */
#include "mplan_interleave_s8.h"

/* A row of one plane becomes a channel of the pixels; no pointer is made behind the last one. */
static void spread(const int8_t *plane, int8_t *out, size_t width, size_t channels)
{
    const size_t left = width % 4U;
    const int8_t *from = plane;
    size_t at = 0U;

    for (size_t x = width / 4U; x > 0U; x--) {
        const int8_t first = from[0];
        const int8_t second = from[1];
        const int8_t third = from[2];
        const int8_t fourth = from[3];

        out[at] = first;
        at += channels;
        out[at] = second;
        at += channels;
        out[at] = third;
        at += channels;
        out[at] = fourth;
        at += channels;
        from = &from[4];
    }
    for (size_t x = 0U; x < left; x++) {
        out[at] = from[x];
        at += channels;
    }
}

MPLAN_KERNEL
void mplan_interleave_s8(const mplan_interleave_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        int8_t *const pixels = &out[mplan_row(&p->out_rows, y)];
        const size_t byte = y * p->y_bytes;
        size_t row = y * p->y_rows;

        for (size_t c = 0U; c < p->channels; c++) {
            spread(&in[mplan_row(&p->in_rows, row) + byte], &pixels[c], p->width, p->channels);
            row += p->plane_rows;
        }
    }
}
