/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_w4_scalar.h - fully connected layer with weights of 4 bits, of blocks too. */
#ifndef MPLAN_DENSE_W4_SCALAR_H
#define MPLAN_DENSE_W4_SCALAR_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each eight outputs and each input a word of eight weights, each raised by 8: those of
 * outputs 0 to 3 in its lower half, those of 4 to 7 in its upper half. What fills up the last eight
 * is 8.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *factors; /* for each eight outputs and each block eight of 1 to 15; NULL: 1 */
    const int32_t *bias;    /* [out_c up to a multiple of 8], input zero point folded in */
    const int32_t *multiplier; /* [out_c], 0 <= multiplier < 2^31 */
    const uint8_t *pre_shift;  /* [out_c], left shift of the accumulator; NULL: none */
    uint32_t in_c;
    uint32_t out_c;
    uint32_t block;  /* inputs whose weights share a factor */
    uint32_t pixels; /* of one row */
    uint8_t small;   /* 1: multipliers and accumulators stay below 2^30, and none is shifted */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_dense_w4_scalar_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c], out: rows of [pixels][out_c].
 * out must not overlap the input rows that are still to be read.
 */
void mplan_dense_w4_scalar(const mplan_dense_w4_scalar_t *p, const int8_t *in, int8_t *out,
                           size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_W4_SCALAR_H */
