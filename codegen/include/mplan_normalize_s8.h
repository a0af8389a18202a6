/* SPDX-License-Identifier: 0BSD */
/* mplan_normalize_s8.h - values less their mean, over their norm; int8, integers only. */
#ifndef MPLAN_NORMALIZE_S8_H
#define MPLAN_NORMALIZE_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *affine; /* [groups * channels][2]: gain * 2^(42 - unit_bits), offset * 2^10 */
    uint32_t blocks;       /* of a row */
    uint32_t pixels;       /* of a block */
    uint32_t groups;       /* of channels */
    uint32_t channels;     /* of a group */
    uint32_t epsilon;      /* added to the square of the norm, * 2^12 */
    uint32_t epsilon_high; /* the upper word */
    uint32_t least;        /* that the square of the norm is, * 2^12 */
    uint32_t least_high;
    uint32_t norm_epsilon; /* added to the norm, * 2^6 */
    uint8_t unit_bits;
    uint8_t centered; /* 0: the mean is the zero point */
    uint8_t norm;     /* 1: of absolute values; 2: of squares; 3: of squares, with norm_epsilon */
    int8_t in_zero_point;
} mplan_normalize_s8_t;

/**
 * Rows [y0, y1) of [blocks][pixels][groups][channels]. out may be in.
 * The n values of one group in one block are normalized together: out = gain * (n * q - s) /
 * sqrt(v) + offset, where s is the sum of the values, or n times the zero point, and v is n times
 * the sum of squares of their distances from s / n (norm 1: the square of their sum).
 */
void mplan_normalize_s8(const mplan_normalize_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_NORMALIZE_S8_H */
