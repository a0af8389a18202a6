/* SPDX-License-Identifier: 0BSD */
#include "mplan_top_k_s8.h"

#include <string.h>

/* A number of 16 bits that is larger the earlier a value comes. */
static int32_t rank_of(const mplan_top_k_s8_t *p, int8_t value)
{
    return (p->smallest != 0U) ? -(int32_t)value : (int32_t)value;
}

/* The values of one pixel: each time the first of those that come behind the last one taken. */
static void take(const mplan_top_k_s8_t *p, const int8_t *values, int8_t *out, int8_t *out2)
{
    int32_t last_rank = 129; /* more than any */
    size_t last = 0U;

    for (size_t place = 0U; place < p->k; place++) {
        int32_t best_rank = -129; /* less than any */
        size_t best = 0U;
        int32_t index = 0;

        for (size_t c = 0U; c < p->classes; c++) {
            const int32_t rank = rank_of(p, values[c]);
            const int behind =
                ((rank < last_rank) || ((rank == last_rank) && (c > last))) ? 1 : 0;

            if ((behind != 0) && (rank > best_rank)) {
                best_rank = rank;
                best = c;
            }
        }
        last_rank = best_rank;
        last = best;
        index = (int32_t)best;
        out[place] = values[best];
        (void)memcpy(&out2[place * sizeof index], &index, sizeof index);
    }
}

MPLAN_KERNEL
void mplan_top_k_s8(const mplan_top_k_s8_t *p, const int8_t *in, int8_t *out, int8_t *out2,
                    size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        int8_t *to2 = &out2[mplan_row(&p->out2_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            take(p, from, to, to2);
            from = &from[p->classes];
            to = &to[p->k];
            to2 = &to2[p->k * sizeof(int32_t)];
        }
    }
}
