/* SPDX-License-Identifier: 0BSD */
/* mplan_pool3d_f32.h - largest, least, sum or average of windows over three axes, float32. */
#ifndef MPLAN_POOL3D_F32_H
#define MPLAN_POOL3D_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A row is one index of the first axis, d; a pool over two axes has them on d and w. The count of
 * a window is the number of its taps that lie in the input or in the counted padding around it.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
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
    uint16_t before_d; /* padding whose zeros count */
    uint16_t before_h;
    uint16_t before_w;
    uint16_t after_d;
    uint16_t after_h;
    uint16_t after_w;
    uint8_t mode; /* 0: largest, 1: least, 2: sum, 3: average */
} mplan_pool3d_f32_t;

/**
 * Output rows [y0, y1). in: [in_d][in_h][in_w][channels], out: [out_d][out_h][out_w][channels] of
 * floats, rows found by address, each a multiple of 4 bytes.
 * out must not overlap the input rows that are still to be read.
 * Sums begin with 0 and take the elements by d, h and w; one division by the count makes the
 * average of them. The largest and the least are the first of equal ones.
 */
void mplan_pool3d_f32(const mplan_pool3d_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_POOL3D_F32_H */
