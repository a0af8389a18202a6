/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_f32_fpu.h"

#include "mplan_sums_f32_fpu.h"

MPLAN_STATIC_ASSERT(mplan_dense_limits_are_a_pair,
                    offsetof(mplan_dense_f32_fpu_t, act_max) ==
                        (offsetof(mplan_dense_f32_fpu_t, act_min) + sizeof(float)));

/* One pixel, up to eight outputs at a time. */
static void dense_pixel(const mplan_dense_f32_fpu_t *p, const float *in, float *out)
{
    const float *const finite = mplan_finite_f32(&p->act_min);
    const mplan_run_f32_t run = {(const int8_t *)(const void *)in, 1U, 0U, p->in_c, 0U, finite};
    const size_t outputs = p->out_c;
    size_t width;

    for (size_t oc = 0U; oc < outputs; oc += width) {
        const size_t left = outputs - oc;
        float few[8];
        float *to = &out[oc];

        width = mplan_width_f32(left);
        to = (left < width) ? few : to;
        mplan_sum_f32(&run, &p->weights[oc * run.count], width, &p->bias[oc], to, &p->act_min);
        if (left < width) {
            (void)memcpy(&out[oc], few, left * sizeof *few);
        }
    }
}

MPLAN_KERNEL
void mplan_dense_f32_fpu(const mplan_dense_f32_fpu_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            dense_pixel(p, &from[x * p->in_c], &to[x * p->out_c]);
        }
    }
}
