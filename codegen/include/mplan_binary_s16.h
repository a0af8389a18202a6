/* SPDX-License-Identifier: 0BSD */
/* mplan_binary_s16.h - sum, product, larger or smaller of two tensors, int16, with broadcasting. */
#ifndef MPLAN_BINARY_S16_H
#define MPLAN_BINARY_S16_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    int32_t multiplier;  /* of the first operand, or of the product */
    int32_t multiplier2; /* of the second one; below 0 for a difference */
    uint32_t outer;      /* rounds of three nested loops inside an output row */
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
    uint8_t what;  /* 0: sum, 1: product, 2: larger, 3: smaller */
    uint8_t shift; /* of a product the left shift, else the right shift of both operands */
    int16_t in_zero_point;
    int16_t in2_zero_point;
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
} mplan_binary_s16_t;

/**
 * Output rows [y0, y1), each at a multiple of 2 bytes.
 * out may be an operand of the same shape, row by row at the same place.
 */
void mplan_binary_s16(const mplan_binary_s16_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_BINARY_S16_H */
