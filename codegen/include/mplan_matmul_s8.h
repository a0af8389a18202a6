/* SPDX-License-Identifier: 0BSD */
/* mplan_matmul_s8.h - product of two stacks of matrices, int8, however their axes lie. */
#ifndef MPLAN_MATMUL_S8_H
#define MPLAN_MATMUL_S8_H

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
    int32_t multiplier;   /* 0 <= multiplier < 2^31 */
    uint8_t pre_shift; /* left shift of a sum */
    int8_t in_zero_point;
    int8_t in2_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_matmul_s8_t;

/**
 * Output rows [y0, y1). The generator has proved that every sum stays in 32 bits. out must not
 * overlap what is still to be read.
 */
void mplan_matmul_s8(const mplan_matmul_s8_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                     size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MATMUL_S8_H */
