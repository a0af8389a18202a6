/* SPDX-License-Identifier: 0BSD */
#include "mplan_compare_s8.h"

static void run(const mplan_compare_s8_t *p, const int8_t *a, const int8_t *b, uint8_t *out)
{
    for (size_t i = 0U; i < p->inner; i++) {
        const int32_t x = (int32_t)a[i * p->in_inner] + 128;
        const int32_t y = b[i * p->in2_inner];
        uint32_t relation = MPLAN_EQUAL;

        if (y < p->first[x]) {
            relation = MPLAN_GREATER;
        } else if (y >= p->end[x]) {
            relation = MPLAN_LESS;
        } else {
            /* equal */
        }
        out[i] = ((relation & p->what) != 0U) ? 1U : 0U;
    }
}

MPLAN_KERNEL
void mplan_compare_s8(const mplan_compare_s8_t *p, const int8_t *in, const int8_t *in2,
                      int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const a = &in[mplan_row(&p->in_rows, y * p->in_moves)];
        const int8_t *const b = &in2[mplan_row(&p->in2_rows, y * p->in2_moves)];
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
