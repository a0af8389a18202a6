/* SPDX-License-Identifier: 0BSD */
/* mplan_lp_pool3d_f32.h - root of a sum of powers over windows of three axes, float32. */
#ifndef MPLAN_LP_POOL3D_F32_H
#define MPLAN_LP_POOL3D_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A row is one index of the first axis, d; a pool over two axes has them on d and w. */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t order; /* of the powers and the root, at least 1 */
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
} mplan_lp_pool3d_f32_t;

/**
 * Output rows [y0, y1). in: [in_d][in_h][in_w][channels], out: [out_d][out_h][out_w][channels] of
 * floats, rows found by address, each a multiple of 4 bytes.
 * out must not overlap the input rows that are still to be read.
 * The sum begins with 0 and takes by d, h and w the powers, each a product of one factor after the
 * other; the root is the sum itself, mplan_sqrt_f32 or mplan_pow_f32 with 1 / order.
 */
void mplan_lp_pool3d_f32(const mplan_lp_pool3d_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_LP_POOL3D_F32_H */
