/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise_s16_mve.h - depthwise convolution, int16 by int16, for vectors (Helium). */
#ifndef MPLAN_DEPTHWISE_S16_MVE_H
#define MPLAN_DEPTHWISE_S16_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each eight channels, in the order 0 2 4 6 1 3 5 7 where there is a word for each
 *   8 words               bias, input zero point folded in
 *   taps times 4 words    for each tap [kernel_h][kernel_w] the weights in order
 *   8 words               left shifts of the accumulators, where `shifts` is not 0
 *   8 words               multipliers, 0 <= multiplier < 2^31
 * What fills up the last eight channels is 0. The generator has proved that every shifted
 * accumulator stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels;
    uint16_t out_w;
    uint16_t kernel_h; /* at most 16 */
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t in_zero_point; /* value of a padding element */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
    uint8_t shifts;
} mplan_depthwise_s16_mve_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address, each at a multiple of 2 bytes. out must not overlap the input rows that are still to
 * be read.
 * scratch: kernel_h rows of ((out_w - 1) * stride_w + kernel_w) * channels int16, and 16 bytes.
 */
void mplan_depthwise_s16_mve(const mplan_depthwise_s16_mve_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEPTHWISE_S16_MVE_H */
