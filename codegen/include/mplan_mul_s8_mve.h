/* SPDX-License-Identifier: 0BSD */
/* mplan_mul_s8_mve.h - product of two tensors, int8, by vectors, with broadcasting. */
#ifndef MPLAN_MUL_S8_MVE_H
#define MPLAN_MUL_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    int32_t multiplier; /* 0 <= multiplier < 2^31 */
    uint32_t outer;     /* rounds of three nested loops inside an output row */
    uint32_t middle;
    uint32_t inner; /* elements that lie one behind the other in both operands */
    uint32_t in_outer; /* elements of each operand from one round to the next, 0 where repeated */
    uint32_t in_middle;
    uint32_t in2_outer;
    uint32_t in2_middle;
    uint8_t in_moves; /* 1: output row y reads row y of the operand, 0: always its row 0 */
    uint8_t in2_moves;
    uint8_t pre_shift; /* left shift of the product, at most 14 */
    int8_t in_zero_point;
    int8_t in2_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_mul_s8_mve_t;

/** Output rows [y0, y1). out may be an operand of the same shape, row by row at the same place. */
void mplan_mul_s8_mve(const mplan_mul_s8_mve_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MUL_S8_MVE_H */
