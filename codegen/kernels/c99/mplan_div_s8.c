/* SPDX-License-Identifier: 0BSD */
#include "mplan_div_s8.h"

/* The innermost loop. */
static void div_run(const mplan_div_s8_t *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    for (size_t i = 0U; i < p->inner; i++) {
        const int64_t wide = (int64_t)((int32_t)a[i * p->in_inner] - p->in_zero_point) *
                             (int64_t)p->reciprocal[(int32_t)b[i * p->in2_inner] + 128];
        const int32_t result = (int32_t)((wide + ((int64_t)1 << 22)) >> 23) + p->out_zero_point;

        out[i] = (int8_t)mplan_clamp(result, p->act_min, p->act_max);
    }
}

MPLAN_KERNEL
void mplan_div_s8(const mplan_div_s8_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                  size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const a = &in[mplan_row(&p->in_rows, y * p->in_moves)];
        const int8_t *const b = &in2[mplan_row(&p->in2_rows, y * p->in2_moves)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->outer; i++) {
            for (size_t j = 0U; j < p->middle; j++) {
                div_run(p, &a[(i * p->in_outer) + (j * p->in_middle)],
                        &b[(i * p->in2_outer) + (j * p->in2_middle)], to);
                to = &to[p->inner];
            }
        }
    }
}
