/* SPDX-License-Identifier: 0BSD */
/* mplan_div_s8.h - quotient of two tensors, int8, with broadcasting. */
#ifndef MPLAN_DIV_S8_H
#define MPLAN_DIV_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x / 0 is the end of the range of x's sign, 0 / 0 the zero point. */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    const int32_t *reciprocal; /* [256], by divisor + 128, 23 bits of fraction */
    uint32_t outer;            /* rounds of three nested loops inside an output row */
    uint32_t middle;
    uint32_t inner;
    uint32_t in_outer; /* elements of each operand from one round to the next, 0 where repeated */
    uint32_t in_middle;
    uint32_t in_inner;
    uint32_t in2_outer;
    uint32_t in2_middle;
    uint32_t in2_inner;
    uint8_t in_moves; /* 1: output row y reads row y of the operand, 0: always its row 0 */
    uint8_t in2_moves;
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_div_s8_t;

/** Output rows [y0, y1). out may be an operand of the same shape, row by row at the same place. */
void mplan_div_s8(const mplan_div_s8_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                  size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DIV_S8_H */
