/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_take_s8.h"

static void fill(const mplan_take_s8_t *p, int8_t *out, size_t bytes)
{
    if (p->fill_bytes == 1U) {
        (void)memset(out, p->fill[0], bytes);
    } else {
        for (size_t i = 0U; i < bytes; i += p->fill_bytes) {
            (void)memcpy(&out[i], p->fill, p->fill_bytes);
        }
    }
}

/* One part of an output row. */
static void take_part(const mplan_take_s8_t *p, const int8_t *in, int8_t *out)
{
    const size_t run = p->run;
    int8_t *next = out;

    for (size_t i = 0U; i < p->count; i++) {
        const size_t block = p->table[i];

        if (block == MPLAN_TAKE_FILL) {
            fill(p, next, run);
        } else if (run == 1U) {
            *next = in[block];
        } else {
            (void)memcpy(next, &in[block * run], run);
        }
        next = &next[run];
    }
}

MPLAN_KERNEL
void mplan_take_s8(const mplan_take_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    const size_t part = (size_t)p->count * p->run;

    for (size_t y = y0; y < y1; y++) {
        const size_t row = (p->row_of != NULL) ? p->row_of[y] : y;
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        if (row == MPLAN_TAKE_FILL) {
            fill(p, to, p->outer * part);
        } else {
            const int8_t *const from = &in[mplan_row(&p->in_rows, row)];

            for (size_t i = 0U; i < p->outer; i++) {
                take_part(p, &from[i * p->outer_bytes], &to[i * part]);
            }
        }
    }
}
