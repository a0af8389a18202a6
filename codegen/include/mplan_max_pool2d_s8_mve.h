/* SPDX-License-Identifier: 0BSD */
/* mplan_max_pool2d_s8_mve.h - largest value of each window, int8, by vectors. */
#ifndef MPLAN_MAX_POOL2D_S8_MVE_H
#define MPLAN_MAX_POOL2D_S8_MVE_H

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
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels;
    uint16_t out_w;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_top; /* windows begin so far outside; elements there are ignored */
    uint16_t pad_left;
} mplan_max_pool2d_s8_mve_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address. out must not overlap the input rows that are still to be read.
 */
void mplan_max_pool2d_s8_mve(const mplan_max_pool2d_s8_mve_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MAX_POOL2D_S8_MVE_H */
