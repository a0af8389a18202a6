/* SPDX-License-Identifier: 0BSD */
/* mplan_hardmax_f32.h - 1 for the first of the largest classes of every pixel, else 0, float32. */
#ifndef MPLAN_HARDMAX_F32_H
#define MPLAN_HARDMAX_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t pixels; /* per row */
    uint32_t classes;
} mplan_hardmax_f32_t;

/**
 * Rows [y0, y1) of [rows][pixels][classes] of floats, each a multiple of 4 bytes from its pointer.
 * out may be in.
 */
void mplan_hardmax_f32(const mplan_hardmax_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                       size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_HARDMAX_F32_H */
