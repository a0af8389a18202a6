/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_w4_mve.h - mplan_dense_s8_mve.h for weights of 4 bits, of blocks too. */
#ifndef MPLAN_DENSE_W4_MVE_H
#define MPLAN_DENSE_W4_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each four outputs
 *   4 words          bias, input zero point folded in
 *   for each block
 *     block / 32 times 16 words   32 weights of each output: 16 in the low halves of four words,
 *                                 then 16 in the high ones, each in [-8, 7]; of the last block
 *                                 what is left, up to a multiple of 32 filled up with 0
 *     1 word                      a factor of 1 to 15 for each output
 *   4 words          multipliers, 0 <= multiplier < 2^31
 * What fills up the last four outputs is 0. The generator has proved that the accumulator shifted
 * by its pre_shift stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *pre_shift; /* [out_c up to a multiple of 4], left shift; NULL: none */
    uint32_t in_c;
    uint32_t out_c;
    uint32_t block;  /* inputs whose weights share factors: a multiple of 32 below 2^17, or in_c */
    uint32_t pixels; /* of one row */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_dense_w4_mve_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c], out: rows of [pixels][out_c].
 * out must not overlap the input rows that are still to be read.
 */
void mplan_dense_w4_mve(const mplan_dense_w4_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_W4_MVE_H */
