/* SPDX-License-Identifier: 0BSD */
/* mplan_top_k_s64.h - the largest or least integers or floats of every pixel, and their places. */
#ifndef MPLAN_TOP_K_S64_H
#define MPLAN_TOP_K_S64_H

#include "mplan_integers.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    mplan_rows_t out2_rows; /* of int32_t, at any address */
    uint32_t pixels;        /* per row */
    uint32_t classes;
    uint32_t k;       /* 1 to classes */
    uint8_t kind;     /* of the values, MPLAN_INTEGER_... */
    uint8_t smallest; /* 1: the least values */
} mplan_top_k_s64_t;

/**
 * Rows [y0, y1). in: [rows][pixels][classes], out: [rows][pixels][k], out2: the same of int32_t in
 * the byte order of the core, the index of each; of equal values the first comes first. Neither out
 * nor out2 overlaps anything.
 */
void mplan_top_k_s64(const mplan_top_k_s64_t *p, const int8_t *in, int8_t *out, int8_t *out2,
                    size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TOP_K_S64_H */
