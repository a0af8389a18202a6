/* SPDX-License-Identifier: 0BSD */
/* mplan_planes3x3_s8_dsp.h - 3x3 depthwise, two rows by two columns of a channel. */
#ifndef MPLAN_PLANES3X3_S8_DSP_H
#define MPLAN_PLANES3X3_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: 8 words for each channel, of weights w[row][column]
 *   {w0x, w1x}, {w1x, w2x} for each column x   two int16 each, low half first
 *   bias with the input zero point folded in
 *   multiplier, 0 <= multiplier < 2^31; no shift before it
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels; /* at least 4 */
    uint16_t out_w;    /* at least 2 */
    uint16_t strip;    /* pairs of output rows that are made at a time */
    uint8_t pad_top;
    uint8_t pad_left;
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_planes3x3_s8_dsp_t;

/**
 * Output rows [y0, y1), stride 1. in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows
 * found by address. out must not overlap the input rows of any of them.
 * scratch: 8 * strip + 16 * (out_w + 3) * (strip + 1) bytes, aligned to 4.
 */
void mplan_planes3x3_s8_dsp(const mplan_planes3x3_s8_dsp_t *p, const int8_t *in,
                                      int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PLANES3X3_S8_DSP_H */
