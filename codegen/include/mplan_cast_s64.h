/* SPDX-License-Identifier: 0BSD */
/* mplan_cast_s64.h - integers of one size as integers of another. */
#ifndef MPLAN_CAST_S64_H
#define MPLAN_CAST_S64_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t elements; /* of a row */
    uint8_t in_bytes;  /* of an integer: 1, 4 or 8 */
    uint8_t in_signed; /* 1: its top bit is its sign */
    uint8_t out_bytes;  /* of an integer: 1, 4 or 8 */
    uint8_t out_signed; /* 1: its top bit is its sign */
    uint8_t truth;      /* 1: only 0 and 1 come out */
} mplan_cast_s64_t;

/**
 * Rows [y0, y1). out = the low bytes of in, or whether in is not 0.
 * out must not overlap the input rows that are still to be read.
 */
void mplan_cast_s64(const mplan_cast_s64_t *p, const int8_t *in, int8_t *out, size_t y0,
                    size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CAST_S64_H */
