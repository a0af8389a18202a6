/* SPDX-License-Identifier: 0BSD */
/* mplan_planes3x3_s8_dsp.h - 3x3 depthwise, two rows by two columns of a channel. */
#ifndef MPLAN_PLANES3X3_S8_DSP_H
#define MPLAN_PLANES3X3_S8_DSP_H

#include "mplan_row_pairs_dsp.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * out_w is at least 2.
 * packed: 8 words for each channel, of weights w[row][column], two int16 each, low half first
 *   stride 1: {w0x, w1x}, {w1x, w2x} for each column x
 *   stride 2: {w00, w10}, {w01, w11}, {w02, w12}, {w20, w21}, {w22, 0}, {0, 0}
 *   bias with the input zero point folded in
 *   multiplier, 0 <= multiplier < 2^31; no shift before it
 */
typedef mplan_row_pairs_dsp_t mplan_planes3x3_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address. out must not overlap the input rows of any of them.
 * scratch: 244 + 112 * ((out_w - 1) * stride + 3) bytes, aligned to 4.
 */
void mplan_planes3x3_s8_dsp(const mplan_planes3x3_s8_dsp_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PLANES3X3_S8_DSP_H */
