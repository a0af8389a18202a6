/* SPDX-License-Identifier: 0BSD */
/* mplan_pack_state_f32.h - first values of a recurrent cell as its state, float32. */
#ifndef MPLAN_PACK_STATE_F32_H
#define MPLAN_PACK_STATE_F32_H

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
    uint32_t parts; /* 1: c is not read */
} mplan_pack_state_f32_t;

/** h and c [batch][hidden] to out [batch][parts][hidden] of floats; nothing overlaps. One row. */
void mplan_pack_state_f32(const mplan_pack_state_f32_t *p, const void *h, const void *c,
                          int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PACK_STATE_F32_H */
