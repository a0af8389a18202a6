/* SPDX-License-Identifier: 0BSD */
/* mplan_reduce_s8.h - a norm of all elements along some axes, int8. */
#ifndef MPLAN_REDUCE_S8_H
#define MPLAN_REDUCE_S8_H

#include "mplan_reduce.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The sum of magnitudes or squares is exact; it, or its root with root_bits bits of fraction, is
 * scaled once. The generator has proved that neither leaves 32 bits.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint32_t *loops; /* see mplan_reduce.h */
    uint32_t rows;         /* that each output row is made of, from its own on; 1: its own alone */
    int32_t multiplier;
    uint8_t what; /* MPLAN_REDUCE_L1, MPLAN_REDUCE_L2 or MPLAN_REDUCE_SUM_SQUARE */
    uint8_t root_bits;
    uint8_t pre_shift;
    int8_t in_zero_point;
    int8_t out_zero_point;
} mplan_reduce_s8_t;

/** Output rows [y0, y1); out must not overlap the input rows that are still to be read. */
void mplan_reduce_s8(const mplan_reduce_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_REDUCE_S8_H */
