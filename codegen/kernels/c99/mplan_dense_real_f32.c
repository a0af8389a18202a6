/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_real_f32.h"

static void dense_pixel(const mplan_dense_real_f32_t *p, const int8_t *in, float *out)
{
    const size_t in_c = p->in_c;
    const int8_t *w = p->weights;

    for (size_t oc = 0U; oc < p->out_c; oc++) {
        int32_t acc = p->first[oc];
        float real;

        for (size_t i = 0U; i < in_c; i++) {
            acc += (int32_t)in[i] * (int32_t)w[i];
        }
        real = (float)acc * p->scale[oc];
        real += p->bias[oc];
        out[oc] = mplan_clamp_f32(real, p->act_min, p->act_max);
        w = &w[in_c];
    }
}

MPLAN_KERNEL
void mplan_dense_real_f32(const mplan_dense_real_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            dense_pixel(p, &from[x * p->in_c], &to[x * p->out_c]);
        }
    }
}
