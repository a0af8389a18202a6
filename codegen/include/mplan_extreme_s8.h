/* SPDX-License-Identifier: 0BSD */
/* mplan_extreme_s8.h - larger or smaller of two elements, int8, with broadcasting. */
#ifndef MPLAN_EXTREME_S8_H
#define MPLAN_EXTREME_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Both operands are brought to one fine grid, in * multiplier + offset; the larger (or smaller) of
 * them >> shift, plus its zero point, is the result. Zero points and rounding are in the offsets.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    int32_t multiplier;
    int32_t multiplier2;
    int32_t offset;
    int32_t offset2;
    uint32_t outer; /* rounds of three nested loops inside an output row */
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
    uint8_t shift;
    uint8_t smaller; /* 1: the smaller one */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_extreme_s8_t;

/** Output rows [y0, y1). out may be an operand of the same shape, row by row at the same place. */
void mplan_extreme_s8(const mplan_extreme_s8_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_EXTREME_S8_H */
