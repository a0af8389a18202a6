/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_s8_dsp.h - fully connected layer for cores with dual 16-bit multiply-accumulate. */
#ifndef MPLAN_DENSE_S8_DSP_H
#define MPLAN_DENSE_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each eight outputs a to h; but the first four by themselves, the next four if then
 * no multiple of eight is left; with pre_shift all fours by themselves
 *   4 words    bias of a, c, e, g (the input zero point is in every bias) - crossed
 *   in_c / 4 times, for each of the pairs (a, b) to (g, h)
 *     2 words  taps {0, 2} and {1, 3} of four, of 256 * b + a as int16
 *   rest times {0}, {0, 1} or {0, 1}, {2}
 *     4 words  two taps of 256 * b + a, of each pair
 *   4 words    bias of b, d, f, h + crossed / 256, rounded up
 *   8 words    multipliers, 0 <= multiplier < 2^31
 * crossed is the sum of w0 * w1 + w2 * w3 of all fours of a, of c and so on. What fills up the last
 * four is 0. From the sums over 256 * b + a the sum of a is subtracted; the generator has proved
 * that what is left, and every accumulator shifted by its pre_shift, stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *pre_shift; /* [out_c up to a multiple of 4], left shift; NULL: none */
    uint32_t in_c;
    uint32_t out_c;
    uint32_t pixels; /* of one row */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_dense_s8_dsp_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c], out: rows of [pixels][out_c].
 * out must not overlap the input rows that are still to be read.
 */
void mplan_dense_s8_dsp(const mplan_dense_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_S8_DSP_H */
