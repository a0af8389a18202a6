/* SPDX-License-Identifier: 0BSD */
/* mplan_arg_extreme_s64.h - where the largest or least integer or float of every pixel stands. */
#ifndef MPLAN_ARG_EXTREME_S64_H
#define MPLAN_ARG_EXTREME_S64_H

#include "mplan_integers.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows; /* of int32_t, at any address */
    uint32_t pixels;       /* per row */
    uint32_t classes;
    uint8_t kind;     /* of the values, MPLAN_INTEGER_... */
    uint8_t smallest; /* 1: of the least value */
    uint8_t last;     /* 1: of equal ones the last, not the first */
} mplan_arg_extreme_s64_t;

/**
 * Rows [y0, y1). in: [rows][pixels][classes], out: [rows][pixels] of int32_t, in the byte order of
 * the core. out must not overlap the input rows that are still to be read.
 */
void mplan_arg_extreme_s64(const mplan_arg_extreme_s64_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ARG_EXTREME_S64_H */
