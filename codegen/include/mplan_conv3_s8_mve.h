/* SPDX-License-Identifier: 0BSD */
/* mplan_conv3_s8_mve.h - convolution of windows three wide, for cores with integer vectors. */
#ifndef MPLAN_CONV3_S8_MVE_H
#define MPLAN_CONV3_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Four pixels side by side share the columns under their windows: stride_w and dilation_w are 1.
 * A column of a kernel row are its in_c bytes, up to a multiple of 16; of all rows of 48.
 *
 * packed: for each two output channels a, b
 *   2 words     bias of a and b, input zero point folded in
 *   for each kernel row and 16 input channels of it
 *     24 words  16 weights of a and of b for the first column, of the second, of the third
 *   4 words     multipliers of a, b, a, b, 0 <= multiplier < 2^31; no shift before them
 * Weights of channels behind the last are 0. The generator has proved that the accumulator stays
 * in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;    /* at least 4 */
    uint16_t out_c;    /* even, below 2^14 */
    uint16_t kernel_h; /* at most 16 */
    uint16_t stride_h;
    uint16_t dilation_h;
    uint16_t pad_top;
    uint16_t pad_left;
    int8_t in_zero_point; /* value of a padding element */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_conv3_s8_mve_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address.
 * out must not overlap the input rows that are still to be read.
 * scratch: 16 * groups * (6 * kernel_h + 1) bytes, where groups are 16 input channels each.
 */
void mplan_conv3_s8_mve(const mplan_conv3_s8_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV3_S8_MVE_H */
