/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_s8_dsp.h - convolution for cores with dual 16-bit multiply-accumulate. */
#ifndef MPLAN_CONV2D_S8_DSP_H
#define MPLAN_CONV2D_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A patch is all inputs of an output pixel in `steps` words of two int16: for each kernel row its
 * kernel_w * in_c bytes, four at a time as {0, 2}, {1, 3}; of a rest of one to three bytes {0},
 * {0, 1} or {0, 1}, {2}.
 *
 * packed: for each four output channels a, b, c, d
 *   2 words                 bias of a and c (the input zero point is in every bias)
 *   steps times 2 words      two taps of 256 * b + a as int16, the same of 256 * d + c
 *   2 words                 bias of b and d
 *   4 words                 multipliers, 0 <= multiplier < 2^31
 * What fills up the last four is 0. From the sums over 256 * b + a the sum of a is subtracted; the
 * generator has proved that what is left, and every accumulator shifted by its pre_shift, stays in
 * int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *pre_shift; /* [out_c up to a multiple of 4], left shift; NULL: none */
    uint32_t steps;           /* words of a patch, at least 1 */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t kernel_h; /* at most 16 */
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int8_t in_zero_point; /* value of a padding element */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_conv2d_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address.
 * out must not overlap the input rows that are still to be read; with a kernel, strides and
 * channels that keep every pixel at its place (1x1), out may be in.
 * scratch: 8 * steps bytes, and kernel_w * in_c more for other kernels than 1x1; aligned to 4.
 */
void mplan_conv2d_s8_dsp(const mplan_conv2d_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_S8_DSP_H */
