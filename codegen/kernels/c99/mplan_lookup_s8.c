/* SPDX-License-Identifier: 0BSD */
#include "mplan_lookup_s8.h"

MPLAN_KERNEL
void mplan_lookup_s8(const mplan_lookup_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1)
{
    const int8_t *const middle = &p->table[128];

    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->row_bytes; i++) {
            to[i] = middle[from[i]];
        }
    }
}
