/* SPDX-License-Identifier: 0BSD */
/* mplan_mul_s8_cmsis_nn.h - product of two tensors of one shape, int8, by CMSIS-NN. */
#ifndef MPLAN_MUL_S8_CMSIS_NN_H
#define MPLAN_MUL_S8_CMSIS_NN_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    uint32_t row_bytes;
    int32_t multiplier; /* 0 <= multiplier < 2^31 */
    uint8_t pre_shift;  /* left shift of the product */
    int8_t in_zero_point;
    int8_t in2_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_mul_s8_cmsis_nn_t;

/** Output rows [y0, y1). out may be an operand, row by row at the same place. */
void mplan_mul_s8_cmsis_nn(const mplan_mul_s8_cmsis_nn_t *p, const int8_t *in, const int8_t *in2,
                           int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MUL_S8_CMSIS_NN_H */
