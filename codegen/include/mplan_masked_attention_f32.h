/* SPDX-License-Identifier: 0BSD */
/* mplan_masked_attention_f32.h - attention with a mask, float32, row by row. */
#ifndef MPLAN_MASKED_ATTENTION_F32_H
#define MPLAN_MASKED_ATTENTION_F32_H

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
    uint32_t keys;
    uint32_t heads;
    uint32_t shared; /* heads with the same keys and values */
    uint32_t depth;
    uint32_t width;
    uint32_t mask_head; /* from the mask of one head to the next, 0 where all have the same */
    float scale;
    float hidden;       /* added where a truth value says that a key is not seen */
    uint8_t truth;      /* 1: the mask has bytes of truth, 0: floats that are added */
    uint8_t mask_moves; /* 1: a row for each query, 0: one for all */
} mplan_masked_attention_f32_t;

/**
 * Output rows [y0, y1) of floats, each at a multiple of 4 bytes. out may be in, where values are as
 * wide as queries. Every sum begins with 0 and goes in order, each operation rounded to float32
 * (with -ffp-contract=off, as of gcc -std=c99).
 * scratch: 4 bytes for each key, aligned to 4.
 */
void mplan_masked_attention_f32(const mplan_masked_attention_f32_t *p, const int8_t *in,
                                const int8_t *in2, const int8_t *in3, const int8_t *in4,
                                int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MASKED_ATTENTION_F32_H */
