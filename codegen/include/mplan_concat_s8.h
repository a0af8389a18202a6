/* SPDX-License-Identifier: 0BSD */
/* mplan_concat_s8.h - one input of a concatenation, written to its place in the output. */
#ifndef MPLAN_CONCAT_S8_H
#define MPLAN_CONCAT_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int8_t *table; /* [256], result for q at q + 128; NULL: copied as it is */
    uint32_t first_row;  /* output row of input row 0 */
    uint32_t row_count;  /* rows of the input */
    uint32_t blocks;     /* runs of block_bytes in an input row, */
    uint32_t block_bytes;
    uint32_t out_start; /* which go to out_start, out_start + out_step, ... of the output row */
    uint32_t out_step;
} mplan_concat_s8_t;

/**
 * The output rows of this input that lie in [y0, y1).
 * out must not overlap the input rows that are still to be read.
 */
void mplan_concat_s8(const mplan_concat_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONCAT_S8_H */
