/* SPDX-License-Identifier: 0BSD */
/* mplan_mean_of_sum_s8.h - gathered sums divided, int32 to int8. */
#ifndef MPLAN_MEAN_OF_SUM_S8_H
#define MPLAN_MEAN_OF_SUM_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Without a count the sum is scaled, else divided by the count, halves to even. */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    int32_t multiplier;
    uint32_t count; /* 0: scale */
    uint16_t channels;
    uint8_t pre_shift; /* left shift of the sum */
    int8_t in_zero_point;
    int8_t out_zero_point;
} mplan_mean_of_sum_s8_t;

/**
 * Output row 0, the only one: [y0, y1) is [0, 1). in: int32 [channels] at any address, each
 * in_zero_point + a sum, as mplan_row_sum_s8 leaves them; out: [channels]. out may begin where in
 * does.
 */
void mplan_mean_of_sum_s8(const mplan_mean_of_sum_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MEAN_OF_SUM_S8_H */
