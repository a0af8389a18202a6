/* SPDX-License-Identifier: 0BSD */
/* mplan_lookup_s8_mve.h - any function of one int8 value, as a table, by vectors. */
#ifndef MPLAN_LOOKUP_S8_MVE_H
#define MPLAN_LOOKUP_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int8_t *table; /* [256], result for q at q + 128 */
    uint32_t row_bytes;
} mplan_lookup_s8_mve_t;

/** Output rows [y0, y1) of row_bytes elements. out may be in, row by row at the same place. */
void mplan_lookup_s8_mve(const mplan_lookup_s8_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_LOOKUP_S8_MVE_H */
