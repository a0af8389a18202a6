/* SPDX-License-Identifier: 0BSD */
#include "mplan_compare_f32.h"

static void run(const mplan_compare_f32_t *p, const float *a, const float *b, uint8_t *out)
{
    for (size_t i = 0U; i < p->inner; i++) {
        const float x = a[i * p->in_inner];
        const float y = b[i * p->in2_inner];
        const uint32_t less = (x < y) ? MPLAN_LESS : 0U;
        const uint32_t greater = (x > y) ? MPLAN_GREATER : 0U;
        const uint32_t equal = ((x <= y) && (x >= y)) ? MPLAN_EQUAL : 0U;

        out[i] = (((less | greater | equal) & p->what) != 0U) ? 1U : 0U;
    }
}

MPLAN_KERNEL
void mplan_compare_f32(const mplan_compare_f32_t *p, const int8_t *in, const int8_t *in2,
                       int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const a =
            (const float *)(const void *)&in[mplan_row(&p->in_rows, y * p->in_moves)];
        const float *const b =
            (const float *)(const void *)&in2[mplan_row(&p->in2_rows, y * p->in2_moves)];
        uint8_t *to = (uint8_t *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->outer; i++) {
            for (size_t j = 0U; j < p->middle; j++) {
                run(p, &a[(i * p->in_outer) + (j * p->in_middle)],
                    &b[(i * p->in2_outer) + (j * p->in2_middle)], to);
                to = &to[p->inner];
            }
        }
    }
}
