/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_s8_scalar.h - convolution for cores with a 32-bit multiply and nothing more. */
#ifndef MPLAN_CONV2D_S8_SCALAR_H
#define MPLAN_CONV2D_S8_SCALAR_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Two output pixels share a word: 65536 * (tap of pixel 1) + (tap of pixel 0), so that one multiply
 * does two multiply-accumulates. A sum of such products is 65536 * (sum of pixel 1) + (sum of
 * pixel 0) as long as the sum of pixel 0 stays within int16. The weights say how long that is: the
 * generator cuts them into runs whose sums, whatever the input, stay within int16.
 *
 * packed: for each two output channels a, b
 *   runs of 1 to 15 taps:  a byte 2 + 16 * (15 - taps), then weights of a and b in turn
 *   a byte 0
 * The taps of all runs are those of a patch: [kernel_h][kernel_w][in_c]. An odd last channel is
 * joined by one whose weights are 0.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int8_t *packed;
    const int32_t *bias; /* [out_c, even][2]: times 65537, less 32768 for each run; as it is */
    const int32_t *multiplier; /* [out_c], 0 <= multiplier < 2^30; no accumulator reaches 2^30 */
    uint32_t taps;             /* of a patch */
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
} mplan_conv2d_s8_scalar_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address.
 * out must not overlap the input rows that are still to be read; with a kernel, strides and
 * channels that keep every pixel at its place (1x1), out may be in.
 * scratch: 4 * taps bytes, 8 for each of the channels (an even number), and where a window may
 * reach beyond the input or is dilated 2 * kernel_w * in_c; aligned to 4.
 */
void mplan_conv2d_s8_scalar(const mplan_conv2d_s8_scalar_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_S8_SCALAR_H */
