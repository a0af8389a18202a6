/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise_s8_dsp.h - depthwise of any window, four channels at a time. */
#ifndef MPLAN_DEPTHWISE_S8_DSP_H
#define MPLAN_DEPTHWISE_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each four channels
 *   4 words                     bias; the input zero point is not in it
 *   kernel_h * kernel_w words   weights of four channels, lowest byte first
 *   4 words                     multipliers, 0 <= multiplier < 2^31; no shift before them
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels; /* multiple of 4 */
    uint16_t out_w;
    uint8_t kernel_h; /* at most 16 */
    uint8_t kernel_w; /* at most 9 */
    uint8_t stride_h;
    uint8_t stride_w;
    uint8_t pad_top; /* less than the kernel */
    uint8_t pad_left;
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_depthwise_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address. Every window sees at least one element of the input. out must not overlap the input
 * rows that are still to be read.
 */
void mplan_depthwise_s8_dsp(const mplan_depthwise_s8_dsp_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEPTHWISE_S8_DSP_H */
