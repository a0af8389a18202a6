/* SPDX-License-Identifier: 0BSD */
/* mplan_state_part_f32.h - outputs or cells out of the state of a recurrent cell, float32. */
#ifndef MPLAN_STATE_PART_F32_H
#define MPLAN_STATE_PART_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t batch;
    uint32_t hidden;
    uint32_t parts;
    uint32_t part;
} mplan_state_part_f32_t;

/** One part of in [batch][parts][hidden] to out [batch][hidden]; they do not overlap. One row. */
void mplan_state_part_f32(const mplan_state_part_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_STATE_PART_F32_H */
