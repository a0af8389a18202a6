/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s8_cmsis_nn.h"

#include "mplan_cmsis_nn.h"

MPLAN_KERNEL
void mplan_conv2d_s8_cmsis_nn(const mplan_conv2d_s8_cmsis_nn_t *p, const int8_t *in, int8_t *out,
                              size_t y0, size_t y1, int8_t *scratch)
{
    const mplan_windows_t windows = {
        .in_rows = &p->in_rows,
        .out_rows = &p->out_rows,
        .in_bytes = (size_t)p->in_w * p->in_c,
        .out_bytes = (size_t)p->out_w * p->out_c,
        .in_h = p->in_h,
        .kernel_h = p->kernel_h,
        .stride_h = p->stride_h,
        .dilation_h = p->dilation_h,
        .pad_top = p->pad_top,
        .together = p->together,
        .padding = p->in_zero_point,
    };
    const cmsis_nn_context ctx = {scratch, (int32_t)p->buffer_bytes};
    const cmsis_nn_dims filter = {p->out_c, p->kernel_h, p->kernel_w, p->in_c};
    const cmsis_nn_dims bias = {1, 1, 1, p->out_c};
    /* The library only reads these, which its struct does not say. */
    const cmsis_nn_per_channel_quant_params quant = {(int32_t *)p->multiplier, (int32_t *)p->shift};
    cmsis_nn_conv_params params = {
        .input_offset = -(int32_t)p->in_zero_point,
        .output_offset = p->out_zero_point,
        .stride = {p->stride_w, p->stride_h},
        .padding = {p->pad_left, 0},
        .dilation = {p->dilation_w, 1},
        .activation = {p->act_min, p->act_max},
    };
    size_t y = y0;

    while (y < y1) {
        const mplan_band_t band = mplan_band(&windows, in, y, y1, &scratch[p->buffer_bytes]);
        const cmsis_nn_dims from = {1, band.in_h, p->in_w, p->in_c};
        const cmsis_nn_dims to = {1, (int32_t)band.rows, p->out_w, p->out_c};
        int32_t wanted;
        arm_cmsis_nn_status status;

        params.padding.h = band.pad_top;
        params.dilation.h = band.dilation_h;
        wanted = arm_convolve_wrapper_s8_get_buffer_size(&params, &from, &filter, &to);
        mplan_cmsis_nn_require(wanted <= ctx.size);
        status = arm_convolve_wrapper_s8(&ctx, &params, &quant, &from, band.in, &filter,
                                         p->weights, &bias, p->bias, &to,
                                         &out[mplan_row(&p->out_rows, y)]);
        mplan_cmsis_nn_require(status == ARM_CMSIS_NN_SUCCESS);
        y += band.rows;
    }
}
