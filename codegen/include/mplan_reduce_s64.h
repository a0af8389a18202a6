/* SPDX-License-Identifier: 0BSD */
/* mplan_reduce_s64.h - one number of all elements along some axes, integers and truth values. */
#ifndef MPLAN_REDUCE_S64_H
#define MPLAN_REDUCE_S64_H

#include "mplan_integers.h"
#include "mplan_reduce.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint32_t *loops; /* see mplan_reduce.h; steps count elements */
    uint32_t rows;         /* that each output row is made of, from its own on; 1: its own alone */
    uint32_t count;        /* elements that an output is made of */
    uint8_t what;          /* MPLAN_REDUCE_... but L2 */
    uint8_t kind;          /* of the integers, MPLAN_INTEGER_... */
} mplan_reduce_s64_t;

/**
 * Output rows [y0, y1); out must not overlap the input rows that are still to be read.
 * Results keep their low bits; a mean is that of 64 bits, towards 0.
 */
void mplan_reduce_s64(const mplan_reduce_s64_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_REDUCE_S64_H */
