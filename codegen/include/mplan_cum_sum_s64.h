/* SPDX-License-Identifier: 0BSD */
/* mplan_cum_sum_s64.h - sums up to each element of the last axis, integers. */
#ifndef MPLAN_CUM_SUM_S64_H
#define MPLAN_CUM_SUM_S64_H

#include "mplan_integers.h"

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
    uint8_t kind;      /* of the integers, MPLAN_INTEGER_... */
} mplan_cum_sum_s64_t;

/** Output rows [y0, y1). out may be in, row by row at the same place. Sums keep their low bits. */
void mplan_cum_sum_s64(const mplan_cum_sum_s64_t *p, const int8_t *in, int8_t *out, size_t y0,
                       size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CUM_SUM_S64_H */
