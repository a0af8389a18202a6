/* SPDX-License-Identifier: 0BSD */
/* mplan_quantize_wide_f32.h - integers of 16 bits on a grid of real values. */
#ifndef MPLAN_QUANTIZE_WIDE_F32_H
#define MPLAN_QUANTIZE_WIDE_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t elements; /* of a row */
    int32_t zero_point;
    float scale;
} mplan_quantize_wide_f32_t;

/**
 * Rows [y0, y1). out = the integer nearest to in / scale + zero_point, halves to even, limited
 * to int16; no number becomes the zero point. Rows of floats are multiples of 4 bytes.
 * out must not overlap the input rows that are still to be read.
 */
void mplan_quantize_wide_f32(const mplan_quantize_wide_f32_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_QUANTIZE_WIDE_F32_H */
