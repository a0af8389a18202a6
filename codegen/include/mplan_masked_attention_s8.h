/* SPDX-License-Identifier: 0BSD */
/* mplan_masked_attention_s8.h - attention with a mask, int8, one row of scores at a time. */
#ifndef MPLAN_MASKED_ATTENTION_S8_H
#define MPLAN_MASKED_ATTENTION_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;  /* queries [heads][depth] */
    mplan_rows_t in2_rows; /* keys [heads / shared][depth] */
    mplan_rows_t in3_rows; /* values [heads / shared][width] */
    mplan_rows_t in4_rows; /* mask [keys] of each head, or of all */
    mplan_rows_t out_rows; /* [heads][width] */
    const int32_t *mask; /* what each byte of the mask adds to a logarithm, from mask_first on */
    const uint32_t *exponentials; /* [33], 2^-(i / 32) in fixed point; a sum of all fits 32 bits */
    uint32_t keys;
    uint32_t heads;
    uint32_t shared; /* heads with the same keys and values */
    uint32_t depth;
    uint32_t width;
    uint32_t mask_head;   /* from the mask of one head to the next, 0 where all have the same */
    int32_t factor;       /* of a score, for its logarithm to base 2 in 16 bits of fraction */
    int32_t limit;        /* logarithms further below the largest have no weight */
    int32_t multiplier;   /* of a mean of values in 16 bits of fraction */
    uint8_t factor_shift; /* of a score, as of what mplan_scale takes */
    uint8_t coarse;       /* bits of fraction that logarithms lack */
    uint8_t drop;         /* bits of a weighted value that are left out */
    uint8_t pre_shift;
    uint8_t mask_moves;   /* 1: a row for each query, 0: one for all */
    int8_t mask_first;
    int8_t in_zero_point;
    int8_t in3_zero_point;
    int8_t out_zero_point;
} mplan_masked_attention_s8_t;

/**
 * Output rows [y0, y1). out may be in, where values are as wide as queries.
 * The zero point of the keys is in every score of a query and does not matter.
 * scratch: 4 bytes for each key, aligned to 4.
 */
void mplan_masked_attention_s8(const mplan_masked_attention_s8_t *p, const int8_t *in,
                               const int8_t *in2, const int8_t *in3, const int8_t *in4,
                               int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MASKED_ATTENTION_S8_H */
