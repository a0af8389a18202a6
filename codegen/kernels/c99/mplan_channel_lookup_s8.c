/* SPDX-License-Identifier: 0BSD */
#include "mplan_channel_lookup_s8.h"

static void pixel(const mplan_channel_lookup_s8_t *p, const int8_t *in, int8_t *out)
{
    for (size_t c = 0U; c < p->channels; c++) {
        const int8_t *const table = &p->tables[(size_t)p->places[c] * 256U];

        out[c] = table[(int32_t)in[c] + 128];
    }
}

MPLAN_KERNEL
void mplan_channel_lookup_s8(const mplan_channel_lookup_s8_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->channels], &to[x * p->channels]);
        }
    }
}
