/* SPDX-License-Identifier: 0BSD */
/* mplan_softmax_f32.h - softmax of every pixel over its classes, float32. */
#ifndef MPLAN_SOFTMAX_F32_H
#define MPLAN_SOFTMAX_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t pixels; /* per row */
    uint32_t classes;
} mplan_softmax_f32_t;

/**
 * Rows [y0, y1) of [rows][pixels][classes] of floats, each a multiple of 4 bytes from its pointer.
 * out may be in. exp(x - the largest), summed from the first class on, times 1 / the sum.
 */
void mplan_softmax_f32(const mplan_softmax_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                       size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_SOFTMAX_F32_H */
