/* SPDX-License-Identifier: 0BSD */
/* mplan_log_softmax_s8.h - logarithm of the softmax of every pixel, int8, no floating point. */
#ifndef MPLAN_LOG_SOFTMAX_S8_H
#define MPLAN_LOG_SOFTMAX_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint32_t *exponentials; /* [exponentials_count], exp(-d * scale_in) in fixed point */
    uint16_t exponentials_count;  /* at least 1; beyond, an exponential is 0 */
    uint16_t classes;
    uint32_t pixels;   /* per row */
    uint32_t step;     /* 2^20 * scale_in / scale_out */
    uint32_t octave;   /* 2^20 * ln 2 / scale_out */
    uint8_t unit_bits; /* exponentials[0] is 2^unit_bits */
    int8_t out_zero_point;
} mplan_log_softmax_s8_t;

/**
 * Rows [y0, y1) of [rows][pixels][classes]. out may be in.
 * The exponentials are so fine that the sum over all classes stays below 2^32.
 */
void mplan_log_softmax_s8(const mplan_log_softmax_s8_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_LOG_SOFTMAX_S8_H */
