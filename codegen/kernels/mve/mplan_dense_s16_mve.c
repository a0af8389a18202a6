/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_dense_s16_mve.h"

typedef mplan_dense_s16_mve_t dense_t;

#define WEIGHTS(q) "vldrb.s16 " q ", [r1], #8; "

#include "mplan_dense_halves_mve.h"

MPLAN_KERNEL
void mplan_dense_s16_mve(const mplan_dense_s16_mve_t *p, const int8_t *in, int8_t *out,
                         size_t y0, size_t y1, int8_t *scratch)
{
    int32_t *const sums = (int32_t *)(void *)scratch;

    for (size_t y = y0; y < y1; y++) {
        const int16_t *const from = (const int16_t *)(const void *)&in[mplan_row(&p->in_rows, y)];
        int16_t *const to = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            dense_pixel(p, &from[x * p->in_c], &to[x * p->out_c], sums);
        }
    }
}
