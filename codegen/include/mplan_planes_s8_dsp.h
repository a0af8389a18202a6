/* SPDX-License-Identifier: 0BSD */
/* mplan_planes_s8_dsp.h - 5x5 and 7x7 depthwise, two rows by three columns. */
#ifndef MPLAN_PLANES_S8_DSP_H
#define MPLAN_PLANES_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each channel, of weights w[row][column] that are 0 beyond the kernel
 *   bias with the input zero point folded in
 *   multiplier, 0 <= multiplier < 2^31; no shift before it
 *   for each pair i of the input rows that two output rows see, for each column x (with stride 2
 *   those of even number first), two words of two int16, low half first
 *     {w[2i][x], w[2i + 1][x]}, {w[2i - stride][x], w[2i + 1 - stride][x]}
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels; /* at least 4 */
    uint16_t out_w;    /* at least 3 */
    uint16_t strip;    /* pairs of output rows that are made at a time */
    uint8_t kernel;    /* 5 or 7, both ways */
    uint8_t stride;    /* 1 or 2, both ways */
    uint8_t pad_top;
    uint8_t pad_left;
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_planes_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows
 * found by address. out must not overlap the input rows of any of them.
 * scratch: 8 * strip + 16 * ((out_w - 1) * stride + kernel + 1) * planes bytes, where planes are
 * (strip - 1) * stride + (kernel + stride + 1) / 2; aligned to 4.
 */
void mplan_planes_s8_dsp(const mplan_planes_s8_dsp_t *p, const int8_t *in,
                                      int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PLANES_S8_DSP_H */
