/* SPDX-License-Identifier: 0BSD */
/* mplan_pointwise_s8_dsp.h - 1x1 convolution of few channels, on cores with dual 16-bit
 * multiply-accumulate. */
#ifndef MPLAN_POINTWISE_S8_DSP_H
#define MPLAN_POINTWISE_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A pixel is (in_c + 1) / 2 words of two int16: four channels at a time as {0, 2}, {1, 3}; of a
 * rest of one to three {0}, {0, 1} or {0, 1}, {2}.
 *
 * packed: as mplan_four_pixels_dsp.h has it, (in_c + 1) / 2 words for each two channels.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_c; /* 1 to 32 */
    uint16_t out_w;
    uint16_t out_c; /* even */
    uint16_t stride_h;
    uint16_t stride_w;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_pointwise_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address.
 * out must not overlap the input rows that are still to be read; with strides and channels that
 * keep every pixel at its place, out may be in.
 * scratch: 92 bytes, and 4 * out_c more where out_w is no multiple of 4; aligned to 4.
 */
void mplan_pointwise_s8_dsp(const mplan_pointwise_s8_dsp_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_POINTWISE_S8_DSP_H */
