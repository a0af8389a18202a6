/* SPDX-License-Identifier: 0BSD */
/* mplan_add_s8_mve.h - sum or difference of two tensors of one shape, int8, by vectors. */
#ifndef MPLAN_ADD_S8_MVE_H
#define MPLAN_ADD_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * out = ((in * multiplier) + (in2 * multiplier2) + offset) >> shift, plus its zero point. The
 * offset holds both zero points and the rounding; the generator has proved that no sum leaves
 * int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    int32_t multiplier;
    int32_t multiplier2; /* below 0: a difference */
    int32_t offset;
    uint32_t row_bytes;
    uint8_t shift;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_add_s8_mve_t;

/** Output rows [y0, y1). out may be an operand, row by row at the same place. */
void mplan_add_s8_mve(const mplan_add_s8_mve_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ADD_S8_MVE_H */
