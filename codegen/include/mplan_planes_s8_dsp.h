/* SPDX-License-Identifier: 0BSD */
/* mplan_planes_s8_dsp.h - 5x5 and 7x7 depthwise, two rows by three columns. */
#ifndef MPLAN_PLANES_S8_DSP_H
#define MPLAN_PLANES_S8_DSP_H

#include "mplan_row_pairs_dsp.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * kernel is 5 or 7, out_w at least 3.
 * packed: for each channel, of weights w[row][column] that are 0 beyond the kernel
 *   bias with the input zero point folded in
 *   multiplier, 0 <= multiplier < 2^31; no shift before it
 *   for each pair i of the input rows that two output rows see, for each column x (with stride 2
 *   those of even number first), two words of two int16, low half first
 *     {w[2i][x], w[2i + 1][x]}, {w[2i - stride][x], w[2i + 1 - stride][x]}
 */
typedef mplan_row_pairs_dsp_t mplan_planes_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows
 * found by address. out must not overlap the input rows of any of them.
 * scratch: 244 + 112 * ((out_w - 1) * stride + kernel) bytes, aligned to 4.
 */
void mplan_planes_s8_dsp(const mplan_planes_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PLANES_S8_DSP_H */
