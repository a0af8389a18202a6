/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_s16_mve.h - convolution, int16 by int8, for cores with vectors (Helium). */
#ifndef MPLAN_CONV2D_S16_MVE_H
#define MPLAN_CONV2D_S16_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A patch is all inputs of an output pixel, column by column: [kernel_w][kernel_h][in_c].
 *
 * packed: for each four output channels a, b, c, d
 *   2 words               bias of a and b, input zero point folded in
 *   steps times 4 words   eight taps of a, the same eight of b; what fills up the last is 0
 *   the same of c and d
 *   4 words               left shifts of the accumulators, where `shifts` is not 0
 *   4 words               multipliers, 0 <= multiplier < 2^31
 * What fills up the last four channels is 0. The generator has proved that every shifted
 * accumulator stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint32_t steps; /* vectors of a patch, at least 1 */
    uint32_t strip; /* output pixels whose columns are held at once; 0: see below */
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
    uint16_t dilation_w; /* 1 */
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t in_zero_point; /* value of a padding element */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
    uint8_t shifts;
} mplan_conv2d_s16_mve_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by
 * address, each at a multiple of 2 bytes. out must not overlap the input rows that are still to
 * be read. Where strip is 0 inputs are read where they are: 1x1, no padding, in_c a multiple of 8.
 * scratch: a patch in whole vectors of 16 bytes; with strips also a pixel in whole vectors, all
 * columns under a strip, and a vector.
 */
void mplan_conv2d_s16_mve(const mplan_conv2d_s16_mve_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_S16_MVE_H */
