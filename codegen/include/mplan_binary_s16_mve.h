/* SPDX-License-Identifier: 0BSD */
/* mplan_binary_s16_mve.h - sum or product of two tensors of a shape, int16, for Helium. */
#ifndef MPLAN_BINARY_S16_MVE_H
#define MPLAN_BINARY_S16_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All zero points are 0. Of a sum the factors of both operands, whose common right shift is
 * shift + 15, are high * 2^15 + low with 0 <= low < 2^15: the generator has proved that a sum
 * divided by 2^15 stays in int32. A product is a high word, multiplier its factor.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    int32_t low;
    int32_t high;
    int32_t low2;
    int32_t high2;
    int32_t multiplier; /* 0 <= multiplier < 2^31 */
    uint32_t elements;  /* of a row */
    uint8_t shift;      /* at least 1 */
    uint8_t is_product;
    int16_t act_min;
    int16_t act_max;
} mplan_binary_s16_mve_t;

/**
 * Output rows [y0, y1), each at a multiple of 2 bytes.
 * out may be an operand, row by row at the same place.
 */
void mplan_binary_s16_mve(const mplan_binary_s16_mve_t *p, const int8_t *in, const int8_t *in2,
                          int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_BINARY_S16_MVE_H */
