/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise_s16_dsp.h - convolution of each channel, int16, two channels at a time. */
#ifndef MPLAN_DEPTHWISE_S16_DSP_H
#define MPLAN_DEPTHWISE_S16_DSP_H

#include "mplan_halves_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int16_t *weights;    /* [kernel_h][kernel_w][out_c] */
    const int32_t *bias;       /* [out_c], input zero point folded in */
    const int32_t *multiplier; /* [out_c], 0 <= multiplier < 2^31 */
    const uint8_t *pre_shift;  /* [out_c], left shift of the accumulator; NULL: none */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;
    uint16_t out_c;    /* in_c, even */
    uint16_t kernel_h; /* 16 at most */
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t in_zero_point; /* 0 */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
} mplan_depthwise_s16_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by
 * address, each at a multiple of 2 bytes. Sums, shifted by pre_shift, have 32 bits.
 * out must not overlap the input rows that are still to be read.
 */
void mplan_depthwise_s16_dsp(const mplan_depthwise_s16_dsp_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEPTHWISE_S16_DSP_H */
