/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_s16_w16_scalar.h - convolution, int16 by int16, with a 32-bit multiply. */
#ifndef MPLAN_CONV2D_S16_W16_SCALAR_H
#define MPLAN_CONV2D_S16_W16_SCALAR_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each four output channels and each tap [kernel_h][kernel_w][in_c] their weights in
 * turn, two words of halves; taps up to a multiple of 4 and channels alike are filled up with 0.
 *
 * The generator has proved that what a sum can reach and its multiplier together stay below
 * 2^31 - 2^18, so that 32 bits hold the sums and those of products by which they are requantized.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const int32_t *bias;       /* [out_c up to a multiple of 4][2], input zero point folded in */
    const int32_t *multiplier; /* [out_c], none less than 0 */
    uint32_t taps;             /* of a patch, up to a multiple of 4 */
    uint16_t added;            /* of these */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t in_zero_point; /* value of a padding element; in every bias */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
} mplan_conv2d_s16_w16_scalar_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address,
 * each at a multiple of 2 bytes. out must not overlap the input rows that are still to be read;
 * with a kernel, strides and channels that keep every pixel at its place (1x1), out may be in.
 * scratch: 4 * taps bytes, 8 for each of the channels (a multiple of 4), and where a window may
 * reach beyond the input or is dilated 4 * kernel_w * in_c; aligned to 4.
 */
void mplan_conv2d_s16_w16_scalar(const mplan_conv2d_s16_w16_scalar_t *p, const int8_t *in,
                                 int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_S16_W16_SCALAR_H */
