/* SPDX-License-Identifier: 0BSD */
/* mplan_layer_norm_s8.h - every pixel less its mean, over its deviation; int8, integers only. */
#ifndef MPLAN_LAYER_NORM_S8_H
#define MPLAN_LAYER_NORM_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *gain;   /* [channels], gamma / scale_out * 2^(gain_shift - 4) */
    const int32_t *offset; /* [channels], beta / scale_out * 2^16 */
    uint32_t pixels;       /* per row */
    uint32_t epsilon;      /* times 2^(epsilon_shift - 16): (channels / scale_in)^2 * epsilon */
    uint16_t channels;
    uint8_t epsilon_shift;
    uint8_t gain_shift; /* > 0 */
    int8_t out_zero_point;
} mplan_layer_norm_s8_t;

/**
 * Rows [y0, y1) of [rows][pixels][channels]. out may be in.
 * With n channels, s = sum(q) and v = n * sum(q^2) - s^2 + epsilon, n^2 times the variance:
 * out = gain * (n * q - s) / sqrt(v) + offset. The root has 16 bits, the quotient 20 of fraction.
 */
void mplan_layer_norm_s8(const mplan_layer_norm_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_LAYER_NORM_S8_H */
