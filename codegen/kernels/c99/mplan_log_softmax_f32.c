/* SPDX-License-Identifier: 0BSD */
#include "mplan_log_softmax_f32.h"

#include "mplan_math_f32.h"

static float largest(const float *values, size_t count)
{
    float max = values[0];

    for (size_t c = 1U; c < count; c++) {
        max = (values[c] > max) ? values[c] : max;
    }
    return max;
}

static void pixel(const mplan_log_softmax_f32_t *p, const float *in, float *out)
{
    const float max = largest(in, p->classes);
    float sum = 0.0f;
    float less;

    for (size_t c = 0U; c < p->classes; c++) {
        out[c] = in[c] - max;
        sum += mplan_exp_f32(out[c]);
    }
    less = mplan_log_f32(sum);
    for (size_t c = 0U; c < p->classes; c++) {
        out[c] -= less;
    }
}

MPLAN_KERNEL
void mplan_log_softmax_f32(const mplan_log_softmax_f32_t *p, const int8_t *in, int8_t *out,
                           size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->classes], &to[x * p->classes]);
        }
    }
}
