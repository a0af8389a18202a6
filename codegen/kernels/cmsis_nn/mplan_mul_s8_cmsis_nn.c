/* SPDX-License-Identifier: 0BSD */
#include "mplan_mul_s8_cmsis_nn.h"

#include "mplan_cmsis_nn.h"

MPLAN_KERNEL
void mplan_mul_s8_cmsis_nn(const mplan_mul_s8_cmsis_nn_t *p, const int8_t *in, const int8_t *in2,
                           int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const arm_cmsis_nn_status status = arm_elementwise_mul_s8(
            &in[mplan_row(&p->in_rows, y)], &in2[mplan_row(&p->in2_rows, y)],
            -(int32_t)p->in_zero_point, -(int32_t)p->in2_zero_point,
            &out[mplan_row(&p->out_rows, y)], p->out_zero_point, p->multiplier,
            (int32_t)p->pre_shift - 1, p->act_min, p->act_max, (int32_t)p->row_bytes);

        mplan_cmsis_nn_require(status == ARM_CMSIS_NN_SUCCESS);
    }
}
