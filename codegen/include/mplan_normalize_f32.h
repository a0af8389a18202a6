/* SPDX-License-Identifier: 0BSD */
/* mplan_normalize_f32.h - values less their mean, over their norm; float32. */
#ifndef MPLAN_NORMALIZE_F32_H
#define MPLAN_NORMALIZE_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const float *affine; /* [groups * channels][2]: gain, offset */
    uint32_t blocks;     /* of a row */
    uint32_t pixels;     /* of a block */
    uint32_t groups;     /* of channels */
    uint32_t channels;   /* of a group */
    float divisor;       /* of the sum of absolute values or squares */
    float epsilon;
    uint8_t centered; /* 0: the mean is 0 */
    uint8_t power;    /* 1: absolute values, 2: squares */
    uint8_t rule;     /* epsilon: 0 added below the root, 1 added to the norm, 2 its least value */
} mplan_normalize_f32_t;

/**
 * Rows [y0, y1) of [blocks][pixels][groups][channels] of floats, each row at a multiple of 4 bytes.
 * out may be in.
 * The values of one group in one block are normalized together: out = ((x - mean) * (1 / norm)) *
 * gain + offset. Sums begin with 0 and go by pixel and channel, each product and sum rounded to
 * float32; where the norm is 0, so is the quotient.
 */
void mplan_normalize_f32(const mplan_normalize_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_NORMALIZE_F32_H */
