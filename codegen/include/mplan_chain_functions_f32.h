/* SPDX-License-Identifier: 0BSD */
/* mplan_chain_functions_f32.h - the same with powers, functions of angles and hyperbolic ones. */
#ifndef MPLAN_CHAIN_FUNCTIONS_F32_H
#define MPLAN_CHAIN_FUNCTIONS_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint8_t *program; /* [steps][2], a step of mplan_lanes_f32.h, where its constants start */
    const float *values;    /* constants of all steps */
    uint32_t steps;
    uint32_t row_elements;
} mplan_chain_functions_f32_t;

/**
 * Output rows [y0, y1) of row_elements floats, each a multiple of 4 bytes from its pointer. out may
 * be in, row by row at the same place. Every step is rounded to float32 on its own.
 */
void mplan_chain_functions_f32(const mplan_chain_functions_f32_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CHAIN_FUNCTIONS_F32_H */
