/* SPDX-License-Identifier: 0BSD */
/* mplan_softmax_s8_dsp.h - softmax of every pixel over its classes, int8, by DSP instructions. */
#ifndef MPLAN_SOFTMAX_S8_DSP_H
#define MPLAN_SOFTMAX_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint32_t *exponentials; /* [256], exp(-d * scale_in) in fixed point */
    uint32_t classes;
    uint32_t pixels; /* per row */
    uint32_t scale;  /* 2^15 / scale_out, below 2^29 */
    int8_t out_zero_point;
} mplan_softmax_s8_dsp_t;

/** As mplan_softmax_s8, byte for byte. out may be in. */
void mplan_softmax_s8_dsp(const mplan_softmax_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_SOFTMAX_S8_DSP_H */
