/* SPDX-License-Identifier: 0BSD */
/* mplan_copy_s8.h - elements of one tensor in another order: transpose, slice, tile, upsample. */
#ifndef MPLAN_COPY_S8_H
#define MPLAN_COPY_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Output row y begins at position i = (y / y_repeat) % y_period of the input: row
 * start_row + i * y_rows, byte start_byte + i * y_step of it. Inside an output row four nested
 * loops, outermost first, each step so many input rows and bytes; every round of the innermost one
 * copies `run` consecutive bytes.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *loops; /* [4][3]: rounds, input rows per round, bytes per round (may be < 0) */
    uint32_t run;
    uint32_t start_row;
    uint32_t start_byte;
    uint32_t y_repeat;
    uint32_t y_period;
    int32_t y_rows;
    int32_t y_step;
} mplan_copy_s8_t;

/** Output rows [y0, y1). out must not overlap the input rows that are still to be read. */
void mplan_copy_s8(const mplan_copy_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_COPY_S8_H */
