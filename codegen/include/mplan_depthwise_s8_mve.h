/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise_s8_mve.h - depthwise of any window, for cores with integer vectors (Helium). */
#ifndef MPLAN_DEPTHWISE_S8_MVE_H
#define MPLAN_DEPTHWISE_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A column of a window are its kernel_h elements of one channel, up to a multiple of 4; a window
 * is its columns one behind the other, up to `steps` vectors of 16 bytes.
 *
 * packed: for each four channels
 *   4 words                 bias, input zero point folded in
 *   4 times steps vectors   windows of weights; what fills them up is 0
 *   4 words                 multipliers, 0 <= multiplier < 2^31; no shift before them
 * What fills up the last four channels is 0. The generator has proved that the accumulator stays
 * in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels;
    uint16_t out_w;
    uint16_t strip; /* output pixels whose columns are held at once */
    uint8_t steps;  /* 1 to 4 */
    uint8_t kernel_h; /* at most 16 */
    uint8_t kernel_w;
    uint8_t stride_h;
    uint8_t stride_w;
    uint8_t dilation_h;
    uint8_t pad_top;
    uint8_t pad_left;
    int8_t in_zero_point; /* value of a padding element */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_depthwise_s8_mve_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address. out must not overlap the input rows that are still to be read.
 * scratch: 64 * (words * (strip - 1) * stride_w + 4 * steps) bytes, where words are the words of
 * a column; aligned to 4.
 */
void mplan_depthwise_s8_mve(const mplan_depthwise_s8_mve_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEPTHWISE_S8_MVE_H */
