/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_s16_w16_scalar.h - fully connected, int16 by int16, with a 32-bit multiply only. */
#ifndef MPLAN_DENSE_S16_W16_SCALAR_H
#define MPLAN_DENSE_S16_W16_SCALAR_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each four outputs their weights in turn, [in_c][4], two words of halves; 0 fills up.
 * The generator has proved that what a sum can reach and its multiplier together stay below
 * 2^31 - 2^18.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const int32_t *bias;       /* [out_c up to a multiple of 4], input zero point folded in */
    const int32_t *multiplier; /* [out_c], none less than 0 */
    uint32_t in_c;
    uint32_t out_c;
    uint32_t pixels; /* in a row */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
} mplan_dense_s16_w16_scalar_t;

/**
 * Output rows [y0, y1) of pixels. in: [pixels][in_c], out: [pixels][out_c], rows found by address,
 * each at a multiple of 2 bytes. out must not overlap the input rows that are still to be read.
 */
void mplan_dense_s16_w16_scalar(const mplan_dense_s16_w16_scalar_t *p, const int8_t *in,
                                int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_S16_W16_SCALAR_H */
