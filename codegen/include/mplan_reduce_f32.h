/* SPDX-License-Identifier: 0BSD */
/* mplan_reduce_f32.h - one number of all elements along some axes, float32. */
#ifndef MPLAN_REDUCE_F32_H
#define MPLAN_REDUCE_F32_H

#include "mplan_reduce.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint32_t *loops; /* see mplan_reduce.h; steps count floats */
    uint32_t rows;         /* that each output row is made of, from its own on; 1: its own alone */
    float count;           /* elements that an output is made of */
    uint8_t what;          /* MPLAN_REDUCE_... */
} mplan_reduce_f32_t;

/**
 * Output rows [y0, y1); out must not overlap the input rows that are still to be read.
 * Sums begin with 0, products with 1 and extremes with an infinity; they take the elements in the
 * order in which they lie in the rows, each square, sum and product rounded to float32.
 */
void mplan_reduce_f32(const mplan_reduce_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_REDUCE_F32_H */
