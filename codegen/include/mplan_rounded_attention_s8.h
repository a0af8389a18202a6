/* SPDX-License-Identifier: 0BSD */
/* mplan_rounded_attention_s8.h - attention with scores and weights on grids, int8, row by row. */
#ifndef MPLAN_ROUNDED_ATTENTION_S8_H
#define MPLAN_ROUNDED_ATTENTION_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A score becomes an int8, then what the functions make of it, then the sum with the mask as in
 * mplan_add_s8; weights are those of mplan_softmax_s8.
 */
typedef struct {
    mplan_rows_t in_rows;         /* queries [heads][depth] */
    mplan_rows_t in2_rows;        /* keys [heads / shared][depth] */
    mplan_rows_t in3_rows;        /* values [heads / shared][width] */
    mplan_rows_t out_rows;        /* [heads][width] */
    const uint32_t *exponentials; /* [256], of how far a score is below the largest */
    const int8_t *functions;      /* [256], of scores from -128 on; NULL: none */
    const int8_t *mask;           /* [keys] of each row and head; NULL: none */
    uint32_t keys;
    uint32_t heads;
    uint32_t shared; /* heads with the same keys and values */
    uint32_t depth;
    uint32_t width;
    uint32_t mask_row;  /* from one row to the next, 0 where all have the same */
    uint32_t mask_head; /* from one head to the next */
    uint32_t share;     /* 2^15 / scale of the weights, below 2^29 */
    int32_t score_multiplier;
    int32_t mask_multiplier; /* of a score */
    int32_t mask_multiplier2;
    int32_t mask_offset;
    int32_t multiplier; /* of a sum of weighted values */
    uint8_t score_shift;
    uint8_t mask_shift;
    uint8_t pre_shift;
    int8_t in_zero_point;
    int8_t in2_zero_point;
    int8_t in3_zero_point;
    int8_t score_zero_point;
    int8_t mask_zero_point; /* of the sum */
    int8_t weight_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_rounded_attention_s8_t;

/**
 * Output rows [y0, y1). out may be in, where values are as wide as queries.
 * scratch: a byte for each key.
 */
void mplan_rounded_attention_s8(const mplan_rounded_attention_s8_t *p, const int8_t *in,
                                const int8_t *in2, const int8_t *in3, int8_t *out, size_t y0,
                                size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ROUNDED_ATTENTION_S8_H */
