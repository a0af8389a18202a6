/* SPDX-License-Identifier: 0BSD */
/* mplan_add_s16_scalar.h - sum of two tensors of one shape, int16, with a 32-bit multiply only. */
#ifndef MPLAN_ADD_S16_SCALAR_H
#define MPLAN_ADD_S16_SCALAR_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Both operands have zero point 0. */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    int32_t multiplier;  /* of the first operand; magnitudes of both are below 2^31 - 2^19 */
    int32_t multiplier2; /* of the second one; below 0 for a difference */
    uint32_t row_elements;
    uint8_t shift; /* right shift of the sum, 17 to 30; rounds halves up */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
} mplan_add_s16_scalar_t;

/**
 * Output rows [y0, y1), each at a multiple of 2 bytes.
 * out may be an operand, row by row at the same place.
 */
void mplan_add_s16_scalar(const mplan_add_s16_scalar_t *p, const int8_t *in, const int8_t *in2,
                          int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ADD_S16_SCALAR_H */
