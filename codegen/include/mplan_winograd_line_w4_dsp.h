/* SPDX-License-Identifier: 0BSD */
/* mplan_winograd_line_w4_dsp.h - mplan_winograd_line_s8_dsp for weights of 4 bits. */
#ifndef MPLAN_WINOGRAD_LINE_W4_DSP_H
#define MPLAN_WINOGRAD_LINE_W4_DSP_H

#include "mplan_winograd_line_s8_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * As mplan_winograd_line_s8_dsp_t, but U is int8, at most 12 * 8: of each four words for four
 * output channels a, b, c, d two are left, of a and b, and of c and d: from the lowest byte on
 * U of the first input channel of a, of b, and of the second one of a, of b.
 */
typedef mplan_winograd_line_s8_dsp_t mplan_winograd_line_w4_dsp_t;

/** As mplan_winograd_line_s8_dsp(). */
void mplan_winograd_line_w4_dsp(const mplan_winograd_line_w4_dsp_t *p, const int8_t *in,
                                int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WINOGRAD_LINE_W4_DSP_H */
