/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_w4_scalar.h - mplan_conv2d_s8_scalar.h for weights of 4 bits, of blocks too. */
#ifndef MPLAN_CONV2D_W4_SCALAR_H
#define MPLAN_CONV2D_W4_SCALAR_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * As in mplan_conv2d_s8_scalar.h two output pixels share a word, and runs of a patch end before the
 * sum of pixel 0 may leave int16; all channels have the same runs, of 1 to 8 times four taps. The
 * weights of a block are one run or several.
 *
 * packed: for each two output channels a, b and each tap of a patch a byte: the weight of a in
 * its low half, that of b in the high one, each in [-8, 7]. The taps are
 * [kernel_h][kernel_w][in_c], and up to a multiple of four weights of 0. An odd last channel is
 * joined by one whose weights are 0.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *runs;    /* 1 + 34 * (8 - fours of taps) for each run, and a 0 */
    const uint8_t *factors; /* [out_c / 2, rounded up][runs]: of a, 16 times that of b; NULL: 1 */
    const int32_t *bias; /* [out_c, even][2]: times 65537, less 32768 for each factor; as it is */
    const int32_t *multiplier; /* [out_c], 0 <= multiplier < 2^30; no accumulator reaches 2^30 */
    uint32_t taps;             /* of a patch, up to a multiple of four */
    uint32_t added;            /* of these: 0 to 3 */
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
    int8_t in_zero_point; /* value of a padding element; in every bias */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_conv2d_w4_scalar_t;

/**
 * Output rows [y0, y1): as mplan_conv2d_s8_scalar(), and so is scratch for that many taps.
 */
void mplan_conv2d_w4_scalar(const mplan_conv2d_w4_scalar_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_W4_SCALAR_H */
