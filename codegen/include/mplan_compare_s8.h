/* SPDX-License-Identifier: 0BSD */
/* mplan_compare_s8.h - comparison of two int8 tensors that lie on grids, with broadcasting. */
#ifndef MPLAN_COMPARE_S8_H
#define MPLAN_COMPARE_S8_H

#include "mplan_relations.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    const int16_t *first; /* [256] for each in from -128: the least in2 that is not below it .. */
    const int16_t *end;   /* .. and the least that is above it */
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
    uint8_t what; /* sum of MPLAN_LESS, MPLAN_EQUAL and MPLAN_GREATER, of which one must hold */
} mplan_compare_s8_t;

/**
 * Output rows [y0, y1) of bytes 0 and 1: how the real values compare. out must not overlap the
 * input rows that are still to be read.
 */
void mplan_compare_s8(const mplan_compare_s8_t *p, const int8_t *in, const int8_t *in2,
                      int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_COMPARE_S8_H */
