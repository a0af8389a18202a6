/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise3x3_s8_dsp.h - 3x3 depthwise for cores with dual 16-bit multiply-accumulate. */
#ifndef MPLAN_DEPTHWISE3X3_S8_DSP_H
#define MPLAN_DEPTHWISE3X3_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: 7 words for each channel, of weights w[row][column]
 *   {w00, w10}, {w01, w11}, {w02, w12}, {w20, w21}, {w22, 0}   two int16 each, low half first
 *   bias with the input zero point folded in
 *   multiplier, 0 <= multiplier < 2^31; no shift before it
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels; /* even where stride is 2 */
    uint16_t out_w;
    uint8_t stride;   /* 1 or 2, both ways */
    uint8_t pad_top;  /* 0 or 1 */
    uint8_t pad_left; /* 0 or 1, 1 where stride is 1; bottom and right by the sizes, 0 or 1 */
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_depthwise3x3_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address; in_h and in_w are at least 2, with stride 1 out_w is in_w. out must not overlap the
 * input rows that are still to be read.
 */
void mplan_depthwise3x3_s8_dsp(const mplan_depthwise3x3_s8_dsp_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEPTHWISE3X3_S8_DSP_H */
