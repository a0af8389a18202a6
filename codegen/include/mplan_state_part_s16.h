/* SPDX-License-Identifier: 0BSD */
/* mplan_state_part_s16.h - outputs or cells out of the int16 state of a recurrent cell. */
#ifndef MPLAN_STATE_PART_S16_H
#define MPLAN_STATE_PART_S16_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t batch;
    uint32_t hidden;
    int32_t multiplier;
    uint8_t parts;
    uint8_t part;
    uint8_t wide; /* out is int16, else int8 */
    uint8_t pre_shift;
    int8_t out_zero_point;
} mplan_state_part_s16_t;

/**
 * One part of in [batch][parts][hidden] of int16 to out [batch][hidden]; what is int16 lies at
 * multiples of 2 bytes, and they do not overlap. One row.
 */
void mplan_state_part_s16(const mplan_state_part_s16_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_STATE_PART_S16_H */
