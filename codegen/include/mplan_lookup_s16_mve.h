/* SPDX-License-Identifier: 0BSD */
/* mplan_lookup_s16_mve.h - function of each int16 by a table and lines between, for Helium. */
#ifndef MPLAN_LOOKUP_S16_MVE_H
#define MPLAN_LOOKUP_S16_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* table: results of every 2^shift-th value from -32768 on, in sixteenths, none beyond 2^20. */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *table; /* [2^(16 - shift) + 1] */
    uint32_t elements;    /* of one row */
    uint8_t shift;        /* 1 to 7 */
} mplan_lookup_s16_mve_t;

/** Output rows [y0, y1), each at a multiple of 2 bytes. out may be in. */
void mplan_lookup_s16_mve(const mplan_lookup_s16_mve_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_LOOKUP_S16_MVE_H */
