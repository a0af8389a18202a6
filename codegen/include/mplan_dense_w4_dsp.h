/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_w4_dsp.h - fully connected layer with weights of 4 bits, dual multiply-accumulate. */
#ifndef MPLAN_DENSE_W4_DSP_H
#define MPLAN_DENSE_W4_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each four outputs a, b, c, d
 *   4 words       biases (the input zero point is in every bias), less what is said below
 *   for each block
 *     block / 2 times  two taps of 4096 * d + 256 * (c + 8) + 16 * (b + 8) + a + 8 as 16 bits,
 *                      {0, 2} and {1, 3} of each four taps; of the last block what is left
 *     1 word           factors: of a + 16 * that of b + 2^24 * that of c + 2^20 * that of d
 *   4 words       multipliers, 0 <= multiplier < 2^31
 * What fills up the last four is 0. With v * w of {0, 1} and {2, 3} of each four taps of a block
 * summed to A for a + 8, and to B for 16 * (b + 8) + a + 8, biases are less, for each block,
 * factor * A, factor * ((B - A) >> 4), -factor * A >> 8, and factor * (A - B) >> 12. The generator
 * has proved that every accumulator shifted by its pre_shift stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *pre_shift; /* [out_c up to a multiple of 4], left shift; NULL: none */
    uint32_t in_c;            /* a multiple of 4 */
    uint32_t out_c;
    uint32_t block;  /* inputs whose weights share factors: a multiple of 4, at most 504 */
    uint32_t pixels; /* of one row */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_dense_w4_dsp_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c], out: rows of [pixels][out_c].
 * out must not overlap the input rows that are still to be read.
 * scratch: 24 bytes for each block, aligned to 4.
 */
void mplan_dense_w4_dsp(const mplan_dense_w4_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_W4_DSP_H */
