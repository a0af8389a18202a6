/* SPDX-License-Identifier: 0BSD */
/* mplan_pool3d_s16_mve.h - largest, least, sum or average of windows, int16, for Helium. */
#ifndef MPLAN_POOL3D_S16_MVE_H
#define MPLAN_POOL3D_S16_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A row is one index of the first axis, d; a pool over two axes has them on d and w. The count of
 * a window is the number of its taps that lie in the input or in the counted padding around it, 1
 * of a sum. Without a multiplier the sum is divided by the count, halves to even; else it is scaled
 * by the factors of its count.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *multiplier; /* [largest count - first_count + 1]; NULL: divide */
    const uint8_t *pre_shift;  /* as many; left shift of the sum */
    uint32_t first_count;      /* smallest count that occurs */
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
    int16_t in_zero_point;
    int16_t out_zero_point;
} mplan_pool3d_s16_mve_t;

/**
 * Output rows [y0, y1). in: [in_d][in_h][in_w][channels], out: [out_d][out_h][out_w][channels],
 * rows found by address, each at a multiple of 2 bytes. A window has fewer than 2^15 taps.
 * out must not overlap the input rows that are still to be read.
 */
void mplan_pool3d_s16_mve(const mplan_pool3d_s16_mve_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_POOL3D_S16_MVE_H */
