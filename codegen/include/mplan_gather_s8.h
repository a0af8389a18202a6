/* SPDX-License-Identifier: 0BSD */
/* mplan_gather_s8.h - blocks of any width at indices that are read while the model runs. */
#ifndef MPLAN_GATHER_S8_H
#define MPLAN_GATHER_S8_H

#include "mplan.h"
#include "mplan_walk.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Every round of the walk makes the next `run` bytes of the output: those of the input at the
 * walk's byte, plus for each of the `depth` indices from the walk's on: itself times a step. An
 * index below 0 counts from the end of its axis; one beyond an end is that end.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows; /* of the indices */
    mplan_rows_t out_rows;
    const uint32_t *loops; /* see mplan_walk_t */
    const uint32_t *axes;  /* [depth][2]: size of an axis, bytes from one index to the next */
    uint32_t depth;
    uint32_t run;
    uint32_t row_blocks; /* blocks of an output row */
    uint32_t in_row_bytes;
    uint32_t in2_row_bytes;
    uint32_t index_bytes; /* 4 or 8 */
} mplan_gather_s8_t;

/** Output rows [y0, y1). out must not overlap what is still to be read. */
void mplan_gather_s8(const mplan_gather_s8_t *p, const int8_t *in, const int8_t *indices,
                     int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_GATHER_S8_H */
