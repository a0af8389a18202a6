/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_rows_s8_dsp.h - convolution from rows with their padding, for few channels, on cores
 * with dual 16-bit multiply-accumulate. */
#ifndef MPLAN_CONV2D_ROWS_S8_DSP_H
#define MPLAN_CONV2D_ROWS_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A line is what a window has of an input row: kernel_w * in_c bytes. A patch is all inputs of an
 * output pixel in `steps` words of two int16: of each line four bytes at a time as {0, 2}, {1, 3},
 * of two more {0, 1}; then, where lines are odd, their last bytes, two at a time.
 *
 * packed: for each four output channels a, b, c, d
 *   2 words                 bias of a and c (the input zero point is in every bias)
 *   steps times 2 words      two taps of 256 * b + a as int16, the same of 256 * d + c
 *   2 words                 bias of b and d
 *   4 words                 multipliers, 0 <= multiplier < 2^31
 * The last four are the last four channels, some of which may be in the four before, too. From the
 * sums over 256 * b + a the sum of a is subtracted; the generator has proved that what is left, and
 * every accumulator shifted by its pre_shift, stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *pre_shift; /* of the channels as packed, left shift; NULL: none */
    uint32_t steps;           /* words of a patch, at least 1 */
    uint16_t in_h;
    uint16_t width; /* columns of the input that are read, at least 1 */
    uint16_t in_c;
    uint16_t out_w;
    uint16_t out_c; /* at least 4 */
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int8_t in_zero_point; /* value of a padding element */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_conv2d_rows_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address.
 * out must not overlap the input rows that are still to be read: output row y may lie on those that
 * only rows before y see.
 * scratch: 8 * steps + 4 * (kernel_h + 1) bytes, and rows of (out_w - 1) * stride_w + kernel_w
 * pixels, up to a multiple of 4 bytes: kernel_h of them where windows reach beside the input, else
 * one where they reach above or below it; aligned to 4.
 */
void mplan_conv2d_rows_s8_dsp(const mplan_conv2d_rows_s8_dsp_t *p, const int8_t *in, int8_t *out,
                              size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_ROWS_S8_DSP_H */
