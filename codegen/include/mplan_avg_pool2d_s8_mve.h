/* SPDX-License-Identifier: 0BSD */
/* mplan_avg_pool2d_s8_mve.h - average or sum of each window, int8, by vectors. */
#ifndef MPLAN_AVG_POOL2D_S8_MVE_H
#define MPLAN_AVG_POOL2D_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The count of a window is the number of its elements that lie in the input or in the counted
 * padding around it (1 where divide is 0). Without a multiplier the sum is divided by the count,
 * halves to even; else it is scaled by the factors of its count.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *multiplier; /* [largest count - first_count + 1]; NULL: divide */
    const uint8_t *pre_shift;  /* as many; left shift of the sum */
    uint32_t first_count;      /* smallest count that occurs */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels;
    uint16_t out_w;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t pad_top; /* windows begin so far outside */
    uint16_t pad_left;
    uint16_t counted_top; /* padding whose zeros count */
    uint16_t counted_left;
    uint16_t counted_bottom;
    uint16_t counted_right;
    uint8_t divide;
    int8_t in_zero_point;
    int8_t out_zero_point;
} mplan_avg_pool2d_s8_mve_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address. out must not overlap the input rows that are still to be read.
 */
void mplan_avg_pool2d_s8_mve(const mplan_avg_pool2d_s8_mve_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_AVG_POOL2D_S8_MVE_H */
