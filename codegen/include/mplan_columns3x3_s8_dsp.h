/* SPDX-License-Identifier: 0BSD */
/* mplan_columns3x3_s8_dsp.h - 3x3 depthwise of maps of 3 or 5 columns, a row at a time. */
#ifndef MPLAN_COLUMNS3X3_S8_DSP_H
#define MPLAN_COLUMNS3X3_S8_DSP_H

#include "mplan_column_pairs_dsp.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * in_w is 3 or 5, padded by 1 on both sides; stride 1, before 0.
 * packed: 5 words for each channel, of weights w[row][column]
 *   bias without the zero point of the input, multiplier, 0 <= multiplier < 2^31; no shift
 *   for each row of weights four bytes, the lowest first: w0 w1 w1 w2
 */
typedef mplan_column_pairs_dsp_t mplan_columns3x3_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows
 * found by address. out must not overlap the input rows of any of them.
 * scratch: 76 + 4 * in_h + 16 * pairs * (y1 - y0 + 2) bytes, aligned to 4.
 */
void mplan_columns3x3_s8_dsp(const mplan_columns3x3_s8_dsp_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_COLUMNS3X3_S8_DSP_H */
