/* SPDX-License-Identifier: 0BSD */
/* mplan_take_s8.h - elements of any width by tables of places: gather, pad, repeat, resize. */
#ifndef MPLAN_TAKE_S8_H
#define MPLAN_TAKE_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_TAKE_FILL (65535U) /* in a table: nothing is taken, but filled */

/*
 * Output row y is made from input row row_of[y], or y where that is NULL. An input row has `outer`
 * parts of outer_bytes. Block i of `run` bytes of an output part is block table[i] of the input
 * part.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint16_t *row_of; /* [output rows], or NULL */
    const uint16_t *table;  /* [count] */
    const uint8_t *fill;    /* [fill_bytes]: an element, or a byte of it where all are equal */
    uint32_t fill_bytes;
    uint32_t outer;
    uint32_t outer_bytes;
    uint32_t count;
    uint32_t run;
} mplan_take_s8_t;

/** Output rows [y0, y1). out must not overlap the input rows that are still to be read. */
void mplan_take_s8(const mplan_take_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TAKE_S8_H */
