/* SPDX-License-Identifier: 0BSD */
/* mplan_softmax_s8.h - softmax of every pixel over its classes, int8, without floating point. */
#ifndef MPLAN_SOFTMAX_S8_H
#define MPLAN_SOFTMAX_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint32_t *exponentials; /* [exponentials_count], exp(-d * scale_in) in fixed point */
    uint16_t exponentials_count;  /* beyond, an exponential is 0 */
    uint16_t classes;
    uint32_t pixels; /* per row */
    uint32_t scale;  /* 2^15 / scale_out, below 2^29 */
    int8_t out_zero_point;
} mplan_softmax_s8_t;

/**
 * Rows [y0, y1) of [rows][pixels][classes]. out may be in.
 * The exponentials are so fine that the sum over all classes stays below 2^32.
 */
void mplan_softmax_s8(const mplan_softmax_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_SOFTMAX_S8_H */
