/* SPDX-License-Identifier: 0BSD */
/* mplan_flip_sign_s8.h - uint8 to int8 or back at the boundary of a model. */
#ifndef MPLAN_FLIP_SIGN_S8_H
#define MPLAN_FLIP_SIGN_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t row_bytes;
} mplan_flip_sign_s8_t;

/** Rows [y0, y1): out = in with the top bit of every byte flipped. out may be in. */
void mplan_flip_sign_s8(const mplan_flip_sign_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_FLIP_SIGN_S8_H */
