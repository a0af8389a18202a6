/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_concat_s8.h"

static void move_block(const int8_t *table, const int8_t *in, int8_t *out, size_t bytes)
{
    if (table == NULL) {
        (void)memcpy(out, in, bytes);
    } else {
        for (size_t i = 0U; i < bytes; i++) {
            out[i] = table[(int32_t)in[i] + 128];
        }
    }
}

MPLAN_KERNEL
void mplan_concat_s8(const mplan_concat_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1)
{
    const size_t end_row = (size_t)p->first_row + p->row_count;
    const size_t first = (y0 > p->first_row) ? y0 : p->first_row;
    const size_t end = (y1 < end_row) ? y1 : end_row;

    for (size_t y = first; y < end; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y - p->first_row)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y) + p->out_start];

        for (size_t i = 0U; i < p->blocks; i++) {
            move_block(p->table, &from[i * p->block_bytes], &to[i * p->out_step], p->block_bytes);
        }
    }
}
