/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_real_f32.h - fully connected layer, int8 to float32: sums of integers, scaled. */
#ifndef MPLAN_DENSE_REAL_F32_H
#define MPLAN_DENSE_REAL_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int8_t *weights; /* [out_c][in_c] */
    const int32_t *first;  /* [out_c]: what each sum begins with, for the input's zero point */
    const float *scale;    /* [out_c]: of input and weights */
    const float *bias;     /* [out_c] */
    uint32_t in_c;         /* below 65536 */
    uint32_t out_c;
    uint32_t pixels; /* of one row */
    float act_min;
    float act_max;
} mplan_dense_real_f32_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c] of int8, out: rows of [pixels][out_c] of floats,
 * each at a multiple of 4 bytes.
 * out must not overlap the input rows that are still to be read.
 * Every sum is exact, and rounded to float32; its product with the scale and the sum with the bias
 * are rounded once more each (with -ffp-contract=off, as of gcc -std=c99).
 */
void mplan_dense_real_f32(const mplan_dense_real_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_REAL_F32_H */
