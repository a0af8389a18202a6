/* SPDX-License-Identifier: 0BSD */
/* mplan_support_vectors_f32.h - support vector machine with a radial kernel, float32. */
#ifndef MPLAN_SUPPORT_VECTORS_F32_H
#define MPLAN_SUPPORT_VECTORS_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const float *vector; /* [vectors][features] */
    const float *weight; /* [vectors][results] */
    const float *bias;   /* [results] */
    uint32_t vectors;
    uint32_t features;
    uint32_t results;
    uint32_t pixels; /* of one row */
    float factor;    /* of a squared distance, before its exponential */
} mplan_support_vectors_f32_t;

/**
 * Rows [y0, y1). in: rows of [pixels][features], out: rows of [pixels][results] of floats, each at
 * a multiple of 4 bytes. For each vector in order: the squares of differences by feature, summed
 * from 0, times factor; its exponential times the weights goes to the results, which begin at 0;
 * the bias comes last. out must not overlap the input rows that are still to be read.
 */
void mplan_support_vectors_f32(const mplan_support_vectors_f32_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_SUPPORT_VECTORS_F32_H */
