/* SPDX-License-Identifier: 0BSD */
/* mplan_row_sum_s8.h - sums of all pixels, gathered as rows arrive, int8 to int32. */
#ifndef MPLAN_ROW_SUM_S8_H
#define MPLAN_ROW_SUM_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint16_t in_w;
    uint16_t channels;
    int8_t in_zero_point;
} mplan_row_sum_s8_t;

/**
 * Adds INPUT rows [y0, y1) to the sums; rows come in order, and row 0 starts the sums anew.
 * in: [in_h][in_w][channels], rows found by address; out: int32 [channels] at any address, each
 * in_zero_point + the sum of (in - in_zero_point). |sum| stays below 2^31: in_h * in_w <= 2^23.
 * out must not overlap the input.
 */
void mplan_row_sum_s8(const mplan_row_sum_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ROW_SUM_S8_H */
