/* SPDX-License-Identifier: 0BSD */
#include "mplan_support_vectors_f32.h"

#include "mplan_math_f32.h"

/* One sample. */
static void one_sample(const mplan_support_vectors_f32_t *p, const float *in, float *out)
{
    const float *vector = p->vector;
    const float *weight = p->weight;

    for (size_t r = 0U; r < p->results; r++) {
        out[r] = 0.0f;
    }
    for (size_t v = 0U; v < p->vectors; v++) {
        float far = 0.0f;
        float near;

        for (size_t f = 0U; f < p->features; f++) {
            const float apart = in[f] - vector[f];

            far += apart * apart;
        }
        near = mplan_exp_f32(p->factor * far);
        for (size_t r = 0U; r < p->results; r++) {
            out[r] += weight[r] * near;
        }
        vector = &vector[p->features];
        weight = &weight[p->results];
    }
    for (size_t r = 0U; r < p->results; r++) {
        out[r] += p->bias[r];
    }
}

MPLAN_KERNEL
void mplan_support_vectors_f32(const mplan_support_vectors_f32_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            one_sample(p, &from[x * p->features], &to[x * p->results]);
        }
    }
}
