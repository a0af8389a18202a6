/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_s16_mve.h - fully connected layer, int16 by int8, for vectors (Helium). */
#ifndef MPLAN_DENSE_S16_MVE_H
#define MPLAN_DENSE_S16_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Inputs lie in vectors of eight, and these in n parts of at most seven, n as small as can be: part
 * i from vector count * i / n on.
 *
 * packed: for each 128 outputs, or those that are left up to a multiple of four
 *   a word each           bias, input zero point folded in
 *   for each part, for each two outputs a and b
 *     vectors times 4 words   eight weights of a, the same eight of b; 0 fills up the last
 *   a word each           multipliers, 0 <= multiplier < 2^31
 * What fills up the last four outputs is 0. The generator has proved that every sum shifted by its
 * pre_shift stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *pre_shift; /* [out_c up to a multiple of 4], left shift; NULL: none */
    uint32_t in_c;
    uint32_t out_c;
    uint32_t pixels; /* of one row */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
} mplan_dense_s16_mve_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c], out: rows of [pixels][out_c], each at a
 * multiple of 2 bytes.
 * out must not overlap the input rows that are still to be read.
 * scratch: a word for each output up to a multiple of 4, for 128 at most.
 */
void mplan_dense_s16_mve(const mplan_dense_s16_mve_t *p, const int8_t *in, int8_t *out,
                         size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_S16_MVE_H */
