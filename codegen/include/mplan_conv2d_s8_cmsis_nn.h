/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_s8_cmsis_nn.h - int8 convolution by CMSIS-NN. */
#ifndef MPLAN_CONV2D_S8_CMSIS_NN_H
#define MPLAN_CONV2D_S8_CMSIS_NN_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int8_t *weights;     /* [out_c][kernel_h][kernel_w][in_c] */
    const int32_t *bias;       /* [out_c], input zero point not folded in */
    const int32_t *multiplier; /* [out_c], 0 <= multiplier < 2^31 */
    const int32_t *shift;      /* [out_c], to the left, of results of 31 bits: -1 and more */
    uint32_t buffer_bytes;     /* of the library, at the beginning of scratch */
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
    uint16_t dilation_w;
    uint16_t pad_top;
    uint16_t pad_left;
    uint16_t together; /* output rows that one call of the library may make */
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_conv2d_s8_cmsis_nn_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address.
 * out must not overlap the input rows that are still to be read: with `together` above 1 none that
 * are read at all, in whatever order the library takes them.
 * scratch: buffer_bytes, and kernel_h input rows where the kernel has several, to put rows together
 * that are scattered.
 */
void mplan_conv2d_s8_cmsis_nn(const mplan_conv2d_s8_cmsis_nn_t *p, const int8_t *in, int8_t *out,
                              size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_S8_CMSIS_NN_H */
