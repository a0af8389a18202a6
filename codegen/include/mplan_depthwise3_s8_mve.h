/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise3_s8_mve.h - depthwise of up to three rows, two rows at once (Helium). */
#ifndef MPLAN_DEPTHWISE3_S8_MVE_H
#define MPLAN_DEPTHWISE3_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A word has four rows of a column of one channel, under the windows of two output rows: strides
 * and dilations are 1. Four words are a window.
 *
 * packed: for each four channels, w being a window of weights in rows 0 to 2 of its words and v
 * the same in rows 1 to 3, and m a multiplier, 0 <= m < 2^31, four times
 *   biases of 0, 2, 1, 3, then w0, v0, w2, v2, m0, w1, v1, m2, w3, v3, m1, m3
 * Input zero points are folded into biases; no shift before multipliers. The generator has proved
 * that the accumulator stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels; /* multiple of 4 */
    uint16_t out_w;
    uint8_t kernel_w; /* at most 4 */
    uint8_t pad_top;
    uint8_t pad_left;
    int8_t in_zero_point; /* value of a padding element */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_depthwise3_s8_mve_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address. out must not overlap the input rows that are still to be read: those of two output rows
 * are read before the first is written.
 * scratch: 64 * (out_w + 4) bytes for each 16 channels, aligned to 4.
 */
void mplan_depthwise3_s8_mve(const mplan_depthwise3_s8_mve_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEPTHWISE3_S8_MVE_H */
