/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_s8.h - fully connected layer, int8: each pixel times a matrix. */
#ifndef MPLAN_DENSE_S8_H
#define MPLAN_DENSE_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int8_t *weights;     /* [out_c][in_c] */
    const int32_t *bias;       /* [out_c], input zero point folded in */
    const int32_t *multiplier; /* [out_c], 0 <= multiplier < 2^31 */
    const uint8_t *pre_shift;  /* [out_c], left shift of the accumulator; NULL: none */
    uint32_t in_c;
    uint32_t out_c;
    uint32_t pixels; /* of one row */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_dense_s8_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c], out: rows of [pixels][out_c].
 * out must not overlap the input rows that are still to be read.
 */
void mplan_dense_s8(const mplan_dense_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_S8_H */
