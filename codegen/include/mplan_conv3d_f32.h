/* SPDX-License-Identifier: 0BSD */
/* mplan_conv3d_f32.h - float32 convolution over three axes of an input that may be spaced. */
#ifndef MPLAN_CONV3D_F32_H
#define MPLAN_CONV3D_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A row is one index of the first axis, d; a convolution over two axes has them on d and w.
 * Windows lie on the input with up - 1 places between its elements, as a transposed convolution
 * sees it: of their taps only those count that lie on an element.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const float *weights; /* [out_c][kernel_d][kernel_h][kernel_w][in_c / groups] */
    const float *bias;    /* [out_c] */
    uint16_t in_d;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_h;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t groups;
    uint16_t kernel_d;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_d;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_d;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t up_d;
    uint16_t up_h;
    uint16_t up_w;
    uint16_t step_d; /* taps from one on an element to the next: up / gcd(up, dilation) */
    uint16_t step_h;
    uint16_t step_w;
    int16_t pad_d; /* windows begin so far outside; within, where it is negative */
    int16_t pad_h;
    int16_t pad_w;
    float act_min;
    float act_max;
} mplan_conv3d_f32_t;

/**
 * Output rows [y0, y1). in: [in_d][in_h][in_w][in_c], out: [out_d][out_h][out_w][out_c] of floats,
 * rows found by address, each a multiple of 4 bytes.
 * out must not overlap the input rows that are still to be read.
 * Every sum begins with its bias and takes the products by d, h, w and input channel, each product
 * and sum rounded to float32; what lies on no element takes no part.
 */
void mplan_conv3d_f32(const mplan_conv3d_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV3D_F32_H */
