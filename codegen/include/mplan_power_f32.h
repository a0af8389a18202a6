/* SPDX-License-Identifier: 0BSD */
/* mplan_power_f32.h - powers of elements of two tensors, float32, with broadcasting. */
#ifndef MPLAN_POWER_F32_H
#define MPLAN_POWER_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    float act_min; /* limits of an activation, where there is one */
    float act_max;
    uint32_t outer; /* rounds of three nested loops inside an output row */
    uint32_t middle;
    uint32_t inner;
    uint32_t in_outer; /* elements of each operand from one round to the next, 0 where repeated */
    uint32_t in_middle;
    uint32_t in_inner;
    uint32_t in2_outer;
    uint32_t in2_middle;
    uint32_t in2_inner;
    uint8_t in_moves; /* 1: output row y reads row y of the operand, 0: always its row 0 */
    uint8_t in2_moves;
    uint8_t clamped; /* 1: there is one */
} mplan_power_f32_t;

/** Output rows [y0, y1). out may be an operand of the same shape, row by row at the same place. */
void mplan_power_f32(const mplan_power_f32_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                     size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_POWER_F32_H */
