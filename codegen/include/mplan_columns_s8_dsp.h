/* SPDX-License-Identifier: 0BSD */
/* mplan_columns_s8_dsp.h - 5x5 and 7x7 depthwise, of small maps or stride 2, a row at a time. */
#ifndef MPLAN_COLUMNS_S8_DSP_H
#define MPLAN_COLUMNS_S8_DSP_H

#include "mplan_column_pairs_dsp.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * body 0: 7x7, stride 2   of any columns, block 5 (10: block 4), before = pad_left
 *      1: 5x5, stride 2   the same (11: block 4)
 *      2: 7x7, stride 1   of 5 columns, padded by 3 on both sides, block 5, before 0
 *      3: 5x5, stride 1   of 10 columns, padded by 2, block 5, the next one by body 4, ahead 1
 *      5: 5x5, stride 2   of 5 columns, padded by 2, block 3
 *      6: 7x7, stride 1   of 3 columns, padded by 3, block 3
 *      7: 5x5, stride 1   of 5 columns, padded by 2, block 5
 *      8: 5x5, stride 1   of 7 columns, padded by 2, block 4, the next one by body 9, ahead 0
 * packed: for each channel
 *   bias without the zero point of the input, multiplier, 0 <= multiplier < 2^31; no shift
 *   for each row of weights w0, w1 .., four bytes to a word, the lowest first
 *     body 0: w0 w2 w1 w3, w4 w6 w5 0          body 1, 5: w0 w2 w1 w3, w4 as int32
 *          2: w3 w5 w4 w6, w2 w4 w3 w5, w1 w0 w2 w1
 *          3, 7, 8: w0 w2 w1 w3, w1 w3 w2 w4   body 6: w3 w2 w4 w3, w1 w5 w2 0
 */
typedef mplan_column_pairs_dsp_t mplan_columns_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows
 * found by address. out must not overlap the input rows of any of them.
 * scratch: 64 + 20 * blocks of the rows + (4 + 16 * pairs) * input rows that they see, aligned
 * to 4.
 */
void mplan_columns_s8_dsp(const mplan_columns_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_COLUMNS_S8_DSP_H */
