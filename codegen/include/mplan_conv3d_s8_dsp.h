/* SPDX-License-Identifier: 0BSD */
/* mplan_conv3d_s8_dsp.h - int8 convolution over three axes of a spaced input, by words. */
#ifndef MPLAN_CONV3D_S8_DSP_H
#define MPLAN_CONV3D_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A row is one index of the first axis, d; a convolution over two axes has them on d and w.
 * Windows lie on the input with up - 1 places between its elements, as a transposed convolution
 * sees it: of their taps only those count that lie on an element.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int8_t *weights;     /* [out_c][kernel_d][kernel_h][kernel_w][in_c / groups] */
    const int32_t *bias;       /* [out_c] */
    const int32_t *multiplier; /* [out_c] */
    const uint8_t *pre_shift;  /* [out_c], or NULL where all are 0 */
    uint16_t in_d;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_h;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t groups;
    uint16_t kernel_d;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_d;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_d;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t up_d;
    uint16_t up_h;
    uint16_t up_w;
    uint16_t step_d; /* taps from one on an element to the next: up / gcd(up, dilation) */
    uint16_t step_h;
    uint16_t step_w;
    int16_t pad_d; /* windows begin so far outside; within, where it is negative */
    int16_t pad_h;
    int16_t pad_w;
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_conv3d_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_d][in_h][in_w][in_c], out: [out_d][out_h][out_w][out_c], rows found
 * by address. out must not overlap the input rows that are still to be read.
 * What lies on no element takes no part: inputs are taken less their zero point.
 */
void mplan_conv3d_s8_dsp(const mplan_conv3d_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV3D_S8_DSP_H */
