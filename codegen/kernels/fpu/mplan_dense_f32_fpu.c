/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_f32_fpu.h"

#include "mplan_sums_f32_fpu.h"

/* One pixel, eight outputs at a time. */
static void dense_pixel(const mplan_dense_f32_fpu_t *p, const float *in, float *out)
{
    const float *weights = p->weights;
    float sums[8];

    for (size_t oc = 0U; oc < p->out_c; oc += 8U) {
        const size_t left = p->out_c - oc;
        const size_t count = (left < 8U) ? left : 8U;

        (void)memcpy(sums, &p->bias[oc], sizeof sums);
        if (count > 4U) {
            weights = mplan_sum_eight_f32(in, p->in_c, weights, sums);
        } else {
            weights = mplan_sum_four_f32(in, p->in_c, weights, sums);
        }
        mplan_store_sums_f32(sums, &out[oc], count, p->act_min, p->act_max);
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
