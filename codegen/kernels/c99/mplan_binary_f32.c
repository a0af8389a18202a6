/* SPDX-License-Identifier: 0BSD */
#include "mplan_binary_f32.h"

/* A loop over the elements of the innermost axis. */
#define EACH(result)                                                  \
    for (size_t i = 0U; i < p->inner; i++) {                          \
        const float x = a[i * p->in_inner];                           \
        const float y = b[i * p->in2_inner];                          \
                                                                      \
        out[i] = (result);                                            \
    }                                                                 \
    break

static void run(const mplan_binary_f32_t *p, const float *a, const float *b, float *out)
{
    switch (p->what) {
    case MPLAN_F32_ADD:
        EACH(x + y);
    case MPLAN_F32_SUB:
        EACH(x - y);
    case MPLAN_F32_MUL:
        EACH(x * y);
    case MPLAN_F32_DIV:
        EACH(x / y);
    case MPLAN_F32_MAX:
        EACH(((x > y) || (x != x)) ? x : y);
    default:
        EACH(((x < y) || (x != x)) ? x : y);
    }
    if (p->clamped != 0U) {
        for (size_t i = 0U; i < p->inner; i++) {
            out[i] = mplan_clamp_f32(out[i], p->act_min, p->act_max);
        }
    }
}

MPLAN_KERNEL
void mplan_binary_f32(const mplan_binary_f32_t *p, const int8_t *in, const int8_t *in2,
                      int8_t *out, size_t y0, size_t y1)
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
