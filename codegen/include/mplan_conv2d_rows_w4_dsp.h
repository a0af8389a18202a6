/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_rows_w4_dsp.h - mplan_conv2d_rows_s8_dsp for weights of 4 bits. */
#ifndef MPLAN_CONV2D_ROWS_W4_DSP_H
#define MPLAN_CONV2D_ROWS_W4_DSP_H

#include "mplan_conv2d_rows_s8_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * As mplan_conv2d_rows_s8_dsp_t but for packed: for each four output channels a, b, c, d
 *   steps words   two taps of 4096 * d + 256 * c + 16 * b + a as int16
 *   4 words       their biases (the input zero point is in every bias)
 *   4 words       multipliers, 0 <= multiplier < 2^31
 * What fills up the last four is as there. The generator has proved that 16 times the sum of a or b
 * and 4096 times that of c or d, all without bias, and every accumulator shifted by its pre_shift
 * stay in int32.
 */
typedef mplan_conv2d_rows_s8_dsp_t mplan_conv2d_rows_w4_dsp_t;

/** Output rows [y0, y1): as mplan_conv2d_rows_s8_dsp(). */
void mplan_conv2d_rows_w4_dsp(const mplan_conv2d_rows_w4_dsp_t *p, const int8_t *in, int8_t *out,
                              size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_ROWS_W4_DSP_H */
