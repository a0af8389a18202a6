/* SPDX-License-Identifier: 0BSD */
/* mplan_matmul_s8_dsp.h - product of two stacks of matrices for cores with dual 16-bit multiply. */
#ifndef MPLAN_MATMUL_S8_DSP_H
#define MPLAN_MATMUL_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * As mplan_matmul_s8_t. What is summed over lies byte by byte in `in`; in `in2` it does, or else
 * the columns do. There are two columns at least.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    const int32_t *loops; /* [6][5] */
    int32_t multiplier;   /* 0 <= multiplier < 2^31 */
    uint8_t pre_shift;    /* left shift of a sum, which stays in 32 bits */
    uint8_t by_rows;      /* 1: matrices are packed for each row, not once for all rows of a call */
    int8_t in_zero_point;
    int8_t in2_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_matmul_s8_dsp_t;

/**
 * As mplan_matmul_s8, byte for byte.
 * scratch, aligned to 4: for each matrix product of an output row 4 bytes for each product of a
 * sum, their number up to a multiple of 4, and 8 bytes more; all matrices of in2 that a row reads,
 * each column up to a multiple of 4 bytes, columns up to a multiple of two. With by_rows for one
 * product and one matrix, without the 8 bytes.
 */
void mplan_matmul_s8_dsp(const mplan_matmul_s8_dsp_t *p, const int8_t *in, const int8_t *in2,
                         int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MATMUL_S8_DSP_H */
