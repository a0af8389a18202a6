/* SPDX-License-Identifier: 0BSD */
/* mplan_truncate_f32.h - floats as integers. */
#ifndef MPLAN_TRUNCATE_F32_H
#define MPLAN_TRUNCATE_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t elements;  /* of a row */
    uint8_t out_bytes;  /* of an integer: 1, 4 or 8 */
    uint8_t out_signed; /* 1: its top bit is its sign; so it is of 8 bytes */
    uint8_t truth;      /* 1: only 0 and 1 come out */
} mplan_truncate_f32_t;

/**
 * Rows [y0, y1). out = in without what is behind the point, limited to the ends of the
 * integers; 0 of what is no number. With truth: whether in is not 0, or no number.
 * Rows of floats are multiples of 4 bytes. out must not overlap the input rows that are still to be
 * read.
 */
void mplan_truncate_f32(const mplan_truncate_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TRUNCATE_F32_H */
