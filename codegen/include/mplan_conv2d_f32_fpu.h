/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_f32_fpu.h - float32 convolution over rows, by a floating-point unit. */
#ifndef MPLAN_CONV2D_F32_FPU_H
#define MPLAN_CONV2D_F32_FPU_H

#include "mplan.h"

#if !defined(__ARM_FP) || ((__ARM_FP & 0x4) == 0)
#error "mplan: needs a floating-point unit (-mfpu, -mfloat-abi)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const float *weights; /* [kernel_h][kernel_w][in_c][8] of eight outputs; of a rest [4], [2] */
    const float *bias;    /* [out_c], zeros up to a multiple of eight */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t pad_top;
    uint16_t pad_left;
    float act_min;
    float act_max;
} mplan_conv2d_f32_fpu_t;

/** As mplan_conv2d_f32, bit for bit, in one group and without gaps between columns. */
void mplan_conv2d_f32_fpu(const mplan_conv2d_f32_fpu_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_F32_FPU_H */
