/* SPDX-License-Identifier: 0BSD */
/* mplan_float_f32.h - integers as floats. */
#ifndef MPLAN_FLOAT_F32_H
#define MPLAN_FLOAT_F32_H

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
    uint8_t truth;     /* 0 */
} mplan_float_f32_t;

/**
 * Rows [y0, y1). out = in rounded to float32, halves to even. Rows of floats are multiples of 4
 * bytes. out must not overlap the input rows that are still to be read.
 */
void mplan_float_f32(const mplan_float_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_FLOAT_F32_H */
