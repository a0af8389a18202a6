/* SPDX-License-Identifier: 0BSD */
#include "mplan_power_f32.h"

#include "mplan_pow_f32.h"

static void run(const mplan_power_f32_t *p, const float *a, const float *b, float *out)
{
    for (size_t i = 0U; i < p->inner; i++) {
        out[i] = mplan_pow_f32(a[i * p->in_inner], b[i * p->in2_inner]);
    }
    if (p->clamped != 0U) {
        for (size_t i = 0U; i < p->inner; i++) {
            out[i] = mplan_clamp_f32(out[i], p->act_min, p->act_max);
        }
    }
}

MPLAN_KERNEL
void mplan_power_f32(const mplan_power_f32_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                     size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const a =
            (const float *)(const void *)&in[mplan_row(&p->in_rows, y * p->in_moves)];
        const float *const b =
            (const float *)(const void *)&in2[mplan_row(&p->in2_rows, y * p->in2_moves)];
        float *to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->outer; i++) {
            for (size_t j = 0U; j < p->middle; j++) {
                run(p, &a[(i * p->in_outer) + (j * p->in_middle)],
                    &b[(i * p->in2_outer) + (j * p->in2_middle)], to);
                to = &to[p->inner];
            }
        }
    }
}
