/* SPDX-License-Identifier: 0BSD */
/* mplan_dequantize_wide_f32.h - real values of integers of 16 bits on a grid. */
#ifndef MPLAN_DEQUANTIZE_WIDE_F32_H
#define MPLAN_DEQUANTIZE_WIDE_F32_H

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
} mplan_dequantize_wide_f32_t;

/**
 * Rows [y0, y1). out = scale * (in - zero_point) as floats, in rows that are multiples of 4 bytes.
 * out must not overlap the input rows that are still to be read.
 */
void mplan_dequantize_wide_f32(const mplan_dequantize_wide_f32_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEQUANTIZE_WIDE_F32_H */
