/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_scatter_s8.h"

MPLAN_KERNEL
void mplan_scatter_s8(const mplan_scatter_s8_t *p, const int8_t *in, const int8_t *indices,
                      const int8_t *updates, int8_t *out, size_t y0, size_t y1)
{
    mplan_walk_t walk = mplan_walk_at(p->loops, 0U);

    mplan_scatter_rows(p, in, out, y0, y1);
    for (size_t i = 0U; i < p->blocks; i++) {
        const size_t to = mplan_scatter_place(p, indices, &walk, y0, y1);

        if (to != SIZE_MAX) {
            const size_t from = mplan_walk_place(&p->in3_rows, p->in3_row_bytes, i * p->run);

            (void)memcpy(&out[to], &updates[from], p->run);
        }
        mplan_walk_on(p->loops, &walk);
    }
}
