/* SPDX-License-Identifier: 0BSD */
/* mplan_pack_state_s16.h - first values of a recurrent cell as its state of int16. */
#ifndef MPLAN_PACK_STATE_S16_H
#define MPLAN_PACK_STATE_S16_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    uint32_t batch;
    uint32_t hidden;
    int32_t h_multiplier;
    int32_t c_multiplier;
    uint8_t parts; /* 1: c is not read */
    uint8_t h_wide; /* int16, else int8 */
    uint8_t c_wide;
    uint8_t h_pre_shift;
    uint8_t c_pre_shift;
    int8_t h_zero_point;
    int8_t c_zero_point;
} mplan_pack_state_s16_t;

/**
 * h and c [batch][hidden] to out [batch][parts][hidden] of int16, clamped to +-32767; what is int16
 * lies at multiples of 2 bytes, and nothing overlaps. One row.
 */
void mplan_pack_state_s16(const mplan_pack_state_s16_t *p, const void *h, const void *c,
                          int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PACK_STATE_S16_H */
