/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise3x3_w4_dsp.h - mplan_depthwise3x3_s8_dsp for weights of 4 bits. */
#ifndef MPLAN_DEPTHWISE3X3_W4_DSP_H
#define MPLAN_DEPTHWISE3X3_W4_DSP_H

#include "mplan_depthwise3x3_s8_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * As mplan_depthwise3x3_s8_dsp_t but for packed: 3 words for each channel
 *   w00, w01, w02, w20 of 4 bits each, from the lowest on, w10, w11, w12, w21 in the upper half,
 *   each raised by 8
 *   16 * bias, and w22 in the lowest 4 bits
 *   multiplier
 */
typedef mplan_depthwise3x3_s8_dsp_t mplan_depthwise3x3_w4_dsp_t;

/** As mplan_depthwise3x3_s8_dsp(). scratch: 28 bytes for each channel, aligned to 4. */
void mplan_depthwise3x3_w4_dsp(const mplan_depthwise3x3_w4_dsp_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEPTHWISE3X3_W4_DSP_H */
