/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_s8_w4b.h - int8 convolution over rows, weights of 4 bits on scales of blocks. */
#ifndef MPLAN_CONV2D_S8_W4B_H
#define MPLAN_CONV2D_S8_W4B_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint8_t *weights;    /* [out_c][kernel_h][kernel_w] of in_c / groups, see below */
    const int32_t *bias;       /* [out_c], input zero point folded in */
    const int32_t *multiplier; /* [out_c], 0 <= multiplier < 2^31 */
    const uint8_t *pre_shift;  /* [out_c], left shift of the accumulator; NULL: none */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t groups;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_top;
    uint16_t pad_left;
    uint16_t block;       /* inputs whose weights share a factor: even, or all of a tap */
    int8_t in_zero_point; /* value of a padding element */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_conv2d_s8_w4b_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address.
 * out must not overlap the input rows that are still to be read.
 *
 * The weights of a tap are blocks, the last one shorter: a factor of 1 to 15, and weights two to a
 * byte, the even index in the low half, each in [-8, 7]; of an odd number the last byte has an
 * upper half of nothing. What is multiplied with an input is the weight times its factor.
 */
void mplan_conv2d_s8_w4b(const mplan_conv2d_s8_w4b_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_S8_W4B_H */
