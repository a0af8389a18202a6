/* SPDX-License-Identifier: 0BSD */
/* mplan_scatter_s8.h - a tensor with blocks of any width put where indices say. */
#ifndef MPLAN_SCATTER_S8_H
#define MPLAN_SCATTER_S8_H

#include "mplan.h"
#include "mplan_walk.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_SCATTER_ADD (0U)
#define MPLAN_SCATTER_MUL (1U)
#define MPLAN_SCATTER_MAX (2U)
#define MPLAN_SCATTER_MIN (3U)

/*
 * The output is the input, and then, for every round of the walk, the next `run` bytes of the
 * updates at the walk's byte plus for each of the `depth` indices from the walk's on: itself times
 * a step. An index below 0 counts from the end of its axis; one beyond an end puts nothing.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows; /* of the indices */
    mplan_rows_t in3_rows; /* of the updates */
    mplan_rows_t out_rows;
    const uint32_t *loops; /* see mplan_walk_t */
    const uint32_t *axes;  /* [depth][2]: size of an axis, bytes from one index to the next */
    uint32_t depth;
    uint32_t run;
    uint32_t blocks;       /* of the updates */
    uint32_t in_row_bytes; /* and those of the output */
    uint32_t in2_row_bytes;
    uint32_t in3_row_bytes;
    uint32_t index_bytes; /* 4 or 8 */
    uint32_t reduction;   /* MPLAN_SCATTER_..., where the kernel reduces */
} mplan_scatter_s8_t;

/** Output rows [y0, y1). out may be in; it must not overlap what is still to be read otherwise. */
void mplan_scatter_s8(const mplan_scatter_s8_t *p, const int8_t *in, const int8_t *indices,
                      const int8_t *updates, int8_t *out, size_t y0, size_t y1);

/** The input's rows, where they are not in place. */
static inline void mplan_scatter_rows(const mplan_scatter_s8_t *p, const int8_t *in, int8_t *out,
                                      size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        if (from != to) {
            (void)memcpy(to, from, p->in_row_bytes);
        }
    }
}

/** Byte of the output where a block of the updates goes; that of no row of [y0, y1): SIZE_MAX. */
static inline size_t mplan_scatter_place(const mplan_scatter_s8_t *p, const int8_t *indices,
                                         const mplan_walk_t *walk, size_t y0, size_t y1)
{
    size_t place = walk->byte;
    size_t row = 0U;
    size_t found = SIZE_MAX;
    size_t inside = 1U;

    for (size_t k = 0U; k < p->depth; k++) {
        const size_t byte = (walk->index + k) * p->index_bytes;
        const size_t at = mplan_walk_place(&p->in2_rows, p->in2_row_bytes, byte);
        const int32_t size = MPLAN_CAST(int32_t, p->axes[2U * k]);
        int32_t index = mplan_walk_index(&indices[at], p->index_bytes);

        index = (index < 0) ? (index + size) : index;
        if ((index < 0) || (index >= size)) {
            inside = 0U;
        } else {
            place += MPLAN_CAST(size_t, index) * p->axes[(2U * k) + 1U];
        }
    }
    row = place / p->in_row_bytes;
    if ((inside != 0U) && (row >= y0) && (row < y1)) {
        found = mplan_row(&p->out_rows, row) + (place % p->in_row_bytes);
    }
    return found;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_SCATTER_S8_H */
