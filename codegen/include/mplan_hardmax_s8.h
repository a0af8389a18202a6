/* SPDX-License-Identifier: 0BSD */
/* mplan_hardmax_s8.h - 1 for the first of the largest classes of every pixel, else 0, int8. */
#ifndef MPLAN_HARDMAX_S8_H
#define MPLAN_HARDMAX_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t pixels; /* per row */
    uint32_t classes;
    int8_t one; /* what stands for 1 */
    int8_t zero;
} mplan_hardmax_s8_t;

/**
 * Rows [y0, y1) of [rows][pixels][classes]. out may be in.
 */
void mplan_hardmax_s8(const mplan_hardmax_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_HARDMAX_S8_H */
