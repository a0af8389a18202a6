/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise_conv2d_f32.h - float32 convolution of every channel on its own, over rows. */
#ifndef MPLAN_DEPTHWISE_CONV2D_F32_H
#define MPLAN_DEPTHWISE_CONV2D_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const float *weights; /* [kernel_h][kernel_w][in_c] */
    const float *bias;    /* [in_c] */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;
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
} mplan_depthwise_conv2d_f32_t;

/** As mplan_conv2d_f32 with as many groups as input and output channels, bit for bit. */
void mplan_depthwise_conv2d_f32(const mplan_depthwise_conv2d_f32_t *p, const int8_t *in,
                                int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEPTHWISE_CONV2D_F32_H */
