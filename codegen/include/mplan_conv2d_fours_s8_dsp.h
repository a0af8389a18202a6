/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_fours_s8_dsp.h - convolution of few taps from rows with their padding, four pixels
 * at a time, on cores with dual 16-bit multiply-accumulate. */
#ifndef MPLAN_CONV2D_FOURS_S8_DSP_H
#define MPLAN_CONV2D_FOURS_S8_DSP_H

#include "mplan_conv2d_rows_s8_dsp.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Patches are those of mplan_conv2d_rows_s8_dsp, of at most 16 words; packed: as
 * mplan_four_pixels_dsp.h has it. pre_shift is NULL, out_w at least 4, out_c even.
 */
typedef mplan_conv2d_rows_s8_dsp_t mplan_conv2d_fours_s8_dsp_t;

/**
 * Output rows [y0, y1), as mplan_conv2d_rows_s8_dsp makes them.
 * scratch: 92 + 4 * (kernel_h + 1) bytes, and the rows that it has there; aligned to 4.
 */
void mplan_conv2d_fours_s8_dsp(const mplan_conv2d_fours_s8_dsp_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_FOURS_S8_DSP_H */
