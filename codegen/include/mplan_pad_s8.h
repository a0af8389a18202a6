/* SPDX-License-Identifier: 0BSD */
/* mplan_pad_s8.h - a border around rows of pixels: constant, edge, mirrored or wrapped. */
#ifndef MPLAN_PAD_S8_H
#define MPLAN_PAD_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_PAD_CONSTANT (0U)
#define MPLAN_PAD_EDGE (1U)
#define MPLAN_PAD_REFLECT (2U)
#define MPLAN_PAD_WRAP (3U)

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t in_h;
    uint32_t in_w;
    uint32_t in_c;
    uint32_t out_w;
    uint32_t out_c;
    uint32_t pad_top; /* elements added before each axis; those after it follow from the sizes */
    uint32_t pad_left;
    uint32_t pad_front;
    uint8_t mode; /* MPLAN_PAD_... */
    int8_t value; /* of MPLAN_PAD_CONSTANT */
} mplan_pad_s8_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [..][out_w][out_c].
 * out must not overlap the input rows that are still to be read.
 */
void mplan_pad_s8(const mplan_pad_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PAD_S8_H */
