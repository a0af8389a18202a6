/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_f32.h - float32 convolution over rows: any kernel, stride, dilation, groups. */
#ifndef MPLAN_CONV2D_F32_H
#define MPLAN_CONV2D_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const float *weights; /* [out_c][kernel_h][kernel_w][in_c / groups] */
    const float *bias;    /* [out_c] */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t groups;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_top;
    uint16_t pad_left;
    float act_min;
    float act_max;
} mplan_conv2d_f32_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c] of floats, rows found by
 * address, each a multiple of 4 bytes.
 * out must not overlap the input rows that are still to be read.
 * Every sum begins with its bias and takes the products by kernel row, column and input channel,
 * each product and sum rounded to float32 (with -ffp-contract=off, as of gcc -std=c99); padding
 * takes no part.
 */
void mplan_conv2d_f32(const mplan_conv2d_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_F32_H */
