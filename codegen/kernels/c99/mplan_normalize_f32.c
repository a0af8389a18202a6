/* SPDX-License-Identifier: 0BSD */
#include "mplan_normalize_f32.h"

#include "mplan_math_f32.h"

/* Runs of `count` values, `step` from one to the next. */
typedef struct {
    size_t runs;
    size_t count;
    size_t step;
} walk_t;

static float sum_of(const walk_t *w, const float *in)
{
    float sum = 0.0f;

    for (size_t x = 0U; x < w->runs; x++) {
        const float *const run = &in[x * w->step];

        for (size_t c = 0U; c < w->count; c++) {
            sum += run[c];
        }
    }
    return sum;
}

static float squares_of(const walk_t *w, const float *in, float mean)
{
    float sum = 0.0f;

    for (size_t x = 0U; x < w->runs; x++) {
        const float *const run = &in[x * w->step];

        for (size_t c = 0U; c < w->count; c++) {
            const float value = run[c] - mean;

            sum += value * value;
        }
    }
    return sum;
}

static float distances_of(const walk_t *w, const float *in, float mean)
{
    float sum = 0.0f;

    for (size_t x = 0U; x < w->runs; x++) {
        const float *const run = &in[x * w->step];

        for (size_t c = 0U; c < w->count; c++) {
            const float value = run[c] - mean;

            sum += (value < 0.0f) ? -value : value;
        }
    }
    return sum;
}

static float norm_of(const mplan_normalize_f32_t *p, const walk_t *w, const float *in, float mean)
{
    float norm = (p->power == 2U) ? squares_of(w, in, mean) : distances_of(w, in, mean);

    norm /= p->divisor;
    if (p->rule == 0U) {
        norm += p->epsilon;
    }
    if (p->power == 2U) {
        norm = mplan_sqrt_f32(norm);
    }
    if (p->rule == 1U) {
        norm += p->epsilon;
    } else if (p->rule == 2U) {
        norm = (norm < p->epsilon) ? p->epsilon : norm;
    } else {
        /* added already */
    }
    return norm;
}

static void group(const mplan_normalize_f32_t *p, const walk_t *w, const float *affine,
                  const float *in, float *out)
{
    const float all = (float)(w->runs * w->count);
    const float mean = (p->centered != 0U) ? (sum_of(w, in) / all) : 0.0f;
    const float norm = norm_of(p, w, in, mean);
    const float factor = (norm > 0.0f) ? (1.0f / norm) : 0.0f;
    const size_t count = w->count;

    for (size_t x = 0U; x < w->runs; x++) {
        const float *const from = &in[x * w->step];
        float *const to = &out[x * w->step];

        for (size_t c = 0U; c < count; c++) {
            const float unit = (from[c] - mean) * factor;

            to[c] = (unit * affine[2U * c]) + affine[(2U * c) + 1U];
        }
    }
}

MPLAN_KERNEL
void mplan_normalize_f32(const mplan_normalize_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    const walk_t walk = {p->pixels, p->channels, (size_t)p->groups * p->channels};
    const size_t size = walk.runs * walk.step;

    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t b = 0U; b < p->blocks; b++) {
            for (size_t g = 0U; g < p->groups; g++) {
                const size_t at = (b * size) + (g * walk.count);

                group(p, &walk, &p->affine[2U * g * walk.count], &from[at], &to[at]);
            }
        }
    }
}
