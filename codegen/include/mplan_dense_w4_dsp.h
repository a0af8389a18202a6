/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_w4_dsp.h - fully connected layer with weights of 4 bits, dual multiply-accumulate. */
#ifndef MPLAN_DENSE_W4_DSP_H
#define MPLAN_DENSE_W4_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* packed: as mplan_conv2d_w4_dsp_t has it, of in_c / 2 steps. */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *pre_shift; /* [out_c up to a multiple of 4], left shift; NULL: none */
    uint32_t in_c;            /* a multiple of 4 */
    uint32_t out_c;
    uint32_t pixels; /* of one row */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_dense_w4_dsp_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c], out: rows of [pixels][out_c].
 * out must not overlap the input rows that are still to be read.
 */
void mplan_dense_w4_dsp(const mplan_dense_w4_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_W4_DSP_H */
