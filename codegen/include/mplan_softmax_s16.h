/* SPDX-License-Identifier: 0BSD */
/* mplan_softmax_s16.h - softmax over the last axis, int16. */
#ifndef MPLAN_SOFTMAX_S16_H
#define MPLAN_SOFTMAX_S16_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint32_t *coarse; /* [coarse_count], exp(-256 * i * scale_in) * 2^31; beyond it is 0 */
    const uint32_t *fine;   /* [256], exp(-i * scale_in) * 2^31 */
    uint32_t coarse_count;
    uint32_t pixels; /* per row */
    uint32_t scale;  /* 2^8 / scale_out, below 2^30 */
    uint16_t classes;
    int16_t out_zero_point;
} mplan_softmax_s16_t;

/** Rows [y0, y1) of [rows][pixels][classes], each at a multiple of 2 bytes. out may be in. */
void mplan_softmax_s16(const mplan_softmax_s16_t *p, const int8_t *in, int8_t *out, size_t y0,
                       size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_SOFTMAX_S16_H */
