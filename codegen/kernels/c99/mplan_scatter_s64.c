/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_scatter_s64.h"

static int64_t reduced(int64_t a, int64_t b, uint32_t reduction)
{
    int64_t result;

    if (reduction == MPLAN_SCATTER_ADD) {
        result = (int64_t)((uint64_t)a + (uint64_t)b);
    } else if (reduction == MPLAN_SCATTER_MUL) {
        result = (int64_t)((uint64_t)a * (uint64_t)b);
    } else if (reduction == MPLAN_SCATTER_MAX) {
        result = (b > a) ? b : a;
    } else {
        result = (b < a) ? b : a;
    }
    return result;
}

MPLAN_KERNEL
void mplan_scatter_s64(const mplan_scatter_s64_t *p, const int8_t *in, const int8_t *indices,
                       const int8_t *updates, int8_t *out, size_t y0, size_t y1)
{
    mplan_walk_t walk = mplan_walk_at(p->loops, 0U);

    mplan_scatter_rows(p, in, out, y0, y1);
    for (size_t i = 0U; i < p->blocks; i++) {
        const size_t to = mplan_scatter_place(p, indices, &walk, y0, y1);
        const size_t from = mplan_walk_place(&p->in3_rows, p->in3_row_bytes, i * p->run);

        for (size_t at = 0U; (to != SIZE_MAX) && (at < p->run); at += sizeof(int64_t)) {
            int64_t a;
            int64_t b;

            (void)memcpy(&a, &out[to + at], sizeof(a));
            (void)memcpy(&b, &updates[from + at], sizeof(b));
            a = reduced(a, b, p->reduction);
            (void)memcpy(&out[to + at], &a, sizeof(a));
        }
        mplan_walk_on(p->loops, &walk);
    }
}
