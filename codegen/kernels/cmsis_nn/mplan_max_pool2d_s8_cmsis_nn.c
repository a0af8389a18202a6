/* SPDX-License-Identifier: 0BSD */
#include "mplan_max_pool2d_s8_cmsis_nn.h"

#include "mplan_cmsis_nn.h"

MPLAN_KERNEL
void mplan_max_pool2d_s8_cmsis_nn(const mplan_max_pool2d_s8_cmsis_nn_t *p, const int8_t *in,
                                  int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    const mplan_windows_t windows = {
        .in_rows = &p->in_rows,
        .out_rows = &p->out_rows,
        .in_bytes = (size_t)p->in_w * p->channels,
        .out_bytes = (size_t)p->out_w * p->channels,
        .in_h = p->in_h,
        .kernel_h = p->kernel_h,
        .stride_h = p->stride_h,
        .dilation_h = 1,
        .pad_top = p->pad_top,
        .together = p->together,
        .padding = INT8_MIN,
    };
    const cmsis_nn_context ctx = {NULL, 0};
    const cmsis_nn_dims filter = {1, p->kernel_h, p->kernel_w, 1};
    cmsis_nn_pool_params params = {
        .stride = {p->stride_w, p->stride_h},
        .padding = {p->pad_left, 0},
        .activation = {INT8_MIN, INT8_MAX},
    };
    size_t y = y0;

    while (y < y1) {
        const mplan_band_t band = mplan_band(&windows, in, y, y1, scratch);
        const cmsis_nn_dims from = {1, band.in_h, p->in_w, p->channels};
        const cmsis_nn_dims to = {1, (int32_t)band.rows, p->out_w, p->channels};

        params.padding.h = band.pad_top;
        mplan_cmsis_nn_require(arm_max_pool_s8(&ctx, &params, &from, band.in, &filter, &to,
                                               &out[mplan_row(&p->out_rows, y)]) ==
                               ARM_CMSIS_NN_SUCCESS);
        y += band.rows;
    }
}
