/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_s8_scalar.h - fully connected, for cores with a 32-bit multiply only. */
#ifndef MPLAN_DENSE_S8_SCALAR_H
#define MPLAN_DENSE_S8_SCALAR_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* packed: for each four outputs their weights in turn, [in_c][4]; what fills up is 0. */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int8_t *packed;
    const int32_t *bias;       /* [out_c up to a multiple of 4], input zero point folded in */
    const int32_t *multiplier; /* [out_c], 0 <= multiplier < 2^30; no accumulator reaches 2^30 */
    uint32_t in_c;
    uint32_t out_c;
    uint32_t pixels; /* in a row */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_dense_s8_scalar_t;

/**
 * Output rows [y0, y1) of pixels. in: [pixels][in_c], out: [pixels][out_c].
 * out must not overlap the input rows that are still to be read.
 */
void mplan_dense_s8_scalar(const mplan_dense_s8_scalar_t *p, const int8_t *in, int8_t *out,
                           size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_S8_SCALAR_H */
