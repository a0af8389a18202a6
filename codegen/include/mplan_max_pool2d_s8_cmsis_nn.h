/* SPDX-License-Identifier: 0BSD */
/* mplan_max_pool2d_s8_cmsis_nn.h - int8 maximum of windows by CMSIS-NN. */
#ifndef MPLAN_MAX_POOL2D_S8_CMSIS_NN_H
#define MPLAN_MAX_POOL2D_S8_CMSIS_NN_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels;
    uint16_t out_w;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t pad_top;
    uint16_t pad_left;
    uint16_t together; /* output rows that one call of the library may make */
} mplan_max_pool2d_s8_cmsis_nn_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address. Every window has an element inside. out must not overlap the input rows that are still
 * to be read: with `together` above 1 none that are read at all.
 * scratch: kernel_h input rows where the kernel has several, to put rows together that are
 * scattered; else it is not looked at.
 */
void mplan_max_pool2d_s8_cmsis_nn(const mplan_max_pool2d_s8_cmsis_nn_t *p, const int8_t *in,
                                  int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_MAX_POOL2D_S8_CMSIS_NN_H */
