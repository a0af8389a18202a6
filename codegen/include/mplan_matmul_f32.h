/* SPDX-License-Identifier: 0BSD */
/* mplan_matmul_f32.h - product of two stacks of matrices, float32, however their axes lie. */
#ifndef MPLAN_MATMUL_F32_H
#define MPLAN_MATMUL_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    const int32_t *loops; /* [6][5]: rounds, and from one to the next rows and bytes of in, rows and
                             bytes of in2. Four loops fill an output row, the fourth by columns,
                             along which in stays; the fifth is summed over, by one row at most, as
                             the last, which is by output rows. */
    float act_min;
    float act_max;
} mplan_matmul_f32_t;

/**
 * Output rows [y0, y1) of floats, each at a multiple of 4 bytes.
 * Every sum begins with 0 and takes the products in order, each product and sum rounded to float32
 * (with -ffp-contract=off, as of gcc -std=c99). out must not overlap what is still to be read.
 */
void mplan_matmul_f32(const mplan_matmul_f32_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MATMUL_F32_H */
