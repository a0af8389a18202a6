/* SPDX-License-Identifier: 0BSD */
/* mplan_max_pool_index_f32.h - where the largest element of windows over three axes is, float32. */
#ifndef MPLAN_MAX_POOL_INDEX_F32_H
#define MPLAN_MAX_POOL_INDEX_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A row is one index of the first axis, d; a pool over two axes has them on d and w. */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t step_d; /* of the index, from one element to the next along an axis */
    uint32_t step_h;
    uint32_t step_w;
    uint32_t step_c;
    uint16_t in_d;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels;
    uint16_t out_h;
    uint16_t out_w;
    uint16_t kernel_d;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_d;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_d;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_d; /* windows begin so far outside */
    uint16_t pad_h;
    uint16_t pad_w;
} mplan_max_pool_index_f32_t;

/**
 * Output rows [y0, y1). in: [in_d][in_h][in_w][channels] of floats, out: rows of
 * [out_h][out_w][channels] of int32_t, found by address, each a multiple of 4 bytes.
 * out must not overlap the input rows that are still to be read.
 * Of equal elements the first by d, h and w is taken.
 */
void mplan_max_pool_index_f32(const mplan_max_pool_index_f32_t *p, const int8_t *in, int8_t *out,
                              size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MAX_POOL_INDEX_F32_H */
