/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_gather_s8.h"

/* Byte of the input at which a block begins. */
static size_t block_at(const mplan_gather_s8_t *p, const int8_t *indices, const mplan_walk_t *walk)
{
    size_t place = walk->byte;

    for (size_t k = 0U; k < p->depth; k++) {
        const size_t byte = (walk->index + k) * p->index_bytes;
        const size_t at = mplan_walk_place(&p->in2_rows, p->in2_row_bytes, byte);
        const int32_t size = (int32_t)p->axes[2U * k];
        int32_t index = mplan_walk_index(&indices[at], p->index_bytes);

        index = mplan_clamp((index < 0) ? (index + size) : index, 0, size - 1);
        place += (size_t)index * p->axes[(2U * k) + 1U];
    }
    return mplan_walk_place(&p->in_rows, p->in_row_bytes, place);
}

MPLAN_KERNEL
void mplan_gather_s8(const mplan_gather_s8_t *p, const int8_t *in, const int8_t *indices,
                     int8_t *out, size_t y0, size_t y1)
{
    mplan_walk_t walk = mplan_walk_at(p->loops, y0 * p->row_blocks);

    for (size_t y = y0; y < y1; y++) {
        int8_t *next = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->row_blocks; i++) {
            (void)memcpy(next, &in[block_at(p, indices, &walk)], p->run);
            next = &next[p->run];
            mplan_walk_on(p->loops, &walk);
        }
    }
}
