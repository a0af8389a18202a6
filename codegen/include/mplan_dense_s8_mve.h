/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_s8_mve.h - fully connected layer for cores with integer vectors (Helium). */
#ifndef MPLAN_DENSE_S8_MVE_H
#define MPLAN_DENSE_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each four outputs
 *   4 words                         bias, input zero point folded in
 *   (in_c + 15) / 16 times 16 words   16 weights of each output; what fills up the last is 0
 *   4 words                         multipliers, 0 <= multiplier < 2^31; no shift before them
 * What fills up the last four outputs is 0. The generator has proved that the accumulator stays
 * in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint32_t in_c;
    uint32_t out_c;
    uint32_t pixels; /* of one row */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_dense_s8_mve_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c], out: rows of [pixels][out_c].
 * out must not overlap the input rows that are still to be read.
 */
void mplan_dense_s8_mve(const mplan_dense_s8_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_S8_MVE_H */
