/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_f32.h"

/* One pixel; two outputs share the loads of its inputs. */
static void dense_pixel(const mplan_dense_f32_t *p, const float *in, float *out)
{
    const size_t in_c = p->in_c;
    const float *w = p->weights;
    size_t oc = 0U;

    for (; (oc + 1U) < p->out_c; oc += 2U) {
        const float *const w2 = &w[in_c];
        float acc = p->bias[oc];
        float acc2 = p->bias[oc + 1U];

        for (size_t i = 0U; i < in_c; i++) {
            const float value = in[i];

            acc += value * w[i];
            acc2 += value * w2[i];
        }
        out[oc] = mplan_clamp_f32(acc, p->act_min, p->act_max);
        out[oc + 1U] = mplan_clamp_f32(acc2, p->act_min, p->act_max);
        w = &w2[in_c];
    }
    if (oc < p->out_c) {
        float acc = p->bias[oc];

        for (size_t i = 0U; i < in_c; i++) {
            acc += in[i] * w[i];
        }
        out[oc] = mplan_clamp_f32(acc, p->act_min, p->act_max);
    }
}

MPLAN_KERNEL
void mplan_dense_f32(const mplan_dense_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
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
