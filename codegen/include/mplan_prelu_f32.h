/* SPDX-License-Identifier: 0BSD */
/* mplan_prelu_f32.h - values below 0 times a slope of their channel, float32. */
#ifndef MPLAN_PRELU_F32_H
#define MPLAN_PRELU_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const float *slopes; /* [channels] */
    uint32_t pixels;     /* per row */
    uint32_t channels;
} mplan_prelu_f32_t;

/**
 * Rows [y0, y1) of [rows][pixels][channels] of floats, each a multiple of 4 bytes from its pointer.
 * out may be in.
 */
void mplan_prelu_f32(const mplan_prelu_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PRELU_F32_H */
