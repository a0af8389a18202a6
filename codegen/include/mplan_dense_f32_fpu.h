/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_f32_fpu.h - a matrix applied to every pixel, float32, by a floating-point unit. */
#ifndef MPLAN_DENSE_F32_FPU_H
#define MPLAN_DENSE_F32_FPU_H

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
    const float *weights; /* [in_c][8] of each eight outputs; of a rest [in_c][4], [in_c][2] */
    const float *bias;    /* [out_c], zeros up to a multiple of eight */
    float act_min;
    float act_max;
    uint32_t in_c;
    uint32_t out_c;
    uint32_t pixels; /* per row */
} mplan_dense_f32_fpu_t;

/** As mplan_dense_f32, bit for bit. out must not overlap in. */
void mplan_dense_f32_fpu(const mplan_dense_f32_fpu_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_F32_FPU_H */
