/* SPDX-License-Identifier: 0BSD */
/* mplan_cum_sum_s8.h - sums up to each element of the last axis, int8. */
#ifndef MPLAN_CUM_SUM_S8_H
#define MPLAN_CUM_SUM_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t pixels;   /* of a row, each with elements that are added one after the other */
    uint32_t elements; /* of a pixel */
    uint8_t exclusive; /* 1: a sum ends before its element */
    uint8_t reverse;   /* 1: from the last element back */
    uint8_t pre_shift; /* left shift of a sum */
    int8_t in_zero_point;
    int8_t out_zero_point;
    int32_t multiplier; /* 0 <= multiplier < 2^31 */
} mplan_cum_sum_s8_t;

/**
 * Output rows [y0, y1). out may be in, row by row at the same place. Sums are exact; each is
 * requantized once.
 */
void mplan_cum_sum_s8(const mplan_cum_sum_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CUM_SUM_S8_H */
