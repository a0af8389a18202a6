/* SPDX-License-Identifier: 0BSD */
/* mplan_winograd_w4_dsp.h - mplan_winograd_s8_dsp for weights of 4 bits, transformed in RAM. */
#ifndef MPLAN_WINOGRAD_W4_DSP_H
#define MPLAN_WINOGRAD_W4_DSP_H

#include "mplan_winograd_s8_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * As mplan_winograd_s8_dsp_t for tiles of 4 by 4, but for
 *   packed: for each output channel
 *     for each four input channels 9 weights of each, row by row, as half words: from the lowest
 *             4 bits on those of the four channels, raised by 8; up to a multiple of a word
 *     2 words bias and multiplier
 *   block: output channels whose weights are transformed at a time, an even part of out_c
 */
typedef mplan_winograd_s8_dsp_t mplan_winograd_w4_dsp_t;

/**
 * All output rows: y0 = 0, y1 = out_h. in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows
 * found by address. out must not overlap in.
 * scratch: 320 + 288 * in_c + 168 + the larger of 1152 and 36 * in_c bytes, out_c up to a multiple
 * of 4, and block / 2 times 4 * (36 * (in_c + 2) + 4); aligned to 4.
 */
void mplan_winograd_w4_dsp(const mplan_winograd_w4_dsp_t *p, const int8_t *in, int8_t *out,
                           size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WINOGRAD_W4_DSP_H */
