/* SPDX-License-Identifier: 0BSD */
/* mplan_where_s8.h - elements of one of two tensors, as a third one says, with broadcasting. */
#ifndef MPLAN_WHERE_S8_H
#define MPLAN_WHERE_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;  /* of truth values */
    mplan_rows_t in2_rows; /* taken where one is not 0 .. */
    mplan_rows_t in3_rows; /* .. and where it is */
    mplan_rows_t out_rows;
    const int8_t *table2; /* [256] by element from -128, or NULL: elements as they are */
    const int8_t *table3;
    uint32_t outer; /* rounds of three nested loops inside an output row */
    uint32_t middle;
    uint32_t inner;
    uint32_t in_outer; /* elements of each operand from one round to the next, 0 where repeated */
    uint32_t in_middle;
    uint32_t in_inner;
    uint32_t in2_outer;
    uint32_t in2_middle;
    uint32_t in2_inner;
    uint32_t in3_outer;
    uint32_t in3_middle;
    uint32_t in3_inner;
    uint32_t size; /* bytes of an element: 1 where there are tables */
    uint8_t in_moves; /* 1: output row y reads row y of the operand, 0: always its row 0 */
    uint8_t in2_moves;
    uint8_t in3_moves;
} mplan_where_s8_t;

/**
 * Output rows [y0, y1). out may be in2 or in3 of the same shape, row by row at the same place.
 */
void mplan_where_s8(const mplan_where_s8_t *p, const int8_t *in, const int8_t *in2,
                    const int8_t *in3, int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WHERE_S8_H */
