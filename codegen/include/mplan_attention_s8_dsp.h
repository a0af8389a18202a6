/* SPDX-License-Identifier: 0BSD */
/* mplan_attention_s8_dsp.h - scaled dot-product attention for cores with dual multiply. */
#ifndef MPLAN_ATTENTION_S8_DSP_H
#define MPLAN_ATTENTION_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;  /* queries [heads][depth] */
    mplan_rows_t in2_rows; /* keys [heads / shared][depth] */
    mplan_rows_t in3_rows; /* values [heads / shared][width] */
    mplan_rows_t out_rows; /* [heads][width] */
    const uint32_t *exponentials; /* [33], 2^-(i / 32) in fixed point; a sum of all fits 32 bits */
    uint32_t keys;
    uint32_t first_seen; /* keys that the first query sees, each further one more where causal */
    uint32_t heads;
    uint32_t shared; /* heads with the same keys and values */
    uint32_t depth;
    uint32_t width;
    int32_t factor;       /* of a score, for its logarithm to base 2 in 16 bits of fraction */
    int32_t limit;        /* scores further below the largest have no weight */
    int32_t multiplier;   /* of a mean of values in 16 bits of fraction */
    uint8_t factor_shift; /* of a score, as of what mplan_scale takes */
    uint8_t drop;         /* bits of a weighted value that are left out */
    uint8_t pre_shift;
    uint8_t causal;
    uint8_t by_rows; /* 1: rows one by one, 0: two by two */
    int8_t in_zero_point;
    int8_t in3_zero_point;
    int8_t out_zero_point;
} mplan_attention_s8_dsp_t;

/**
 * Output rows [y0, y1). out may be in, where values are as wide as queries.
 * The zero point of the keys is in every score of a query and does not matter.
 * depth is 4 at least.
 * scratch, aligned to 4: 8 bytes for each key, their number up to a multiple of 2, and 4 for each
 * element of all heads of a query, with by_rows of one, their depth up to a multiple of 4.
 */
void mplan_attention_s8_dsp(const mplan_attention_s8_dsp_t *p, const int8_t *in, const int8_t *in2,
                            const int8_t *in3, int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ATTENTION_S8_DSP_H */
