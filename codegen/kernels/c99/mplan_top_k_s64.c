/* SPDX-License-Identifier: 0BSD */
#include "mplan_top_k_s64.h"

/* Whether a value comes before another one, which stands behind it where they are equal. */
static int is_before(const mplan_top_k_s64_t *p, int64_t value, int64_t other, int stands_before)
{
    const int better = ((p->smallest != 0U) ? (value < other) : (value > other)) ? 1 : 0;

    return (better != 0) || ((value == other) && (stands_before != 0));
}

/* The values of one pixel: each time the first of those that come behind the last one taken. */
static void take(const mplan_top_k_s64_t *p, const int8_t *values, int8_t *out, int8_t *out2)
{
    const size_t bytes = MPLAN_INTEGER_BYTES(p->kind);
    int64_t last_value = 0;
    size_t last = 0U;

    for (size_t place = 0U; place < p->k; place++) {
        int64_t best_value = 0;
        size_t best = p->classes;
        int32_t index = 0;

        for (size_t c = 0U; c < p->classes; c++) {
            const int64_t value = mplan_take_ordered(&values[c * bytes], p->kind);
            const int behind =
                ((place == 0U) || (is_before(p, last_value, value, last < c) != 0)) ? 1 : 0;

            if ((behind != 0) &&
                ((best == p->classes) || (is_before(p, value, best_value, 0) != 0))) {
                best_value = value;
                best = c;
            }
        }
        last_value = best_value;
        last = best;
        index = (int32_t)best;
        (void)memcpy(&out[place * bytes], &values[best * bytes], bytes);
        (void)memcpy(&out2[place * sizeof index], &index, sizeof index);
    }
}

MPLAN_KERNEL
void mplan_top_k_s64(const mplan_top_k_s64_t *p, const int8_t *in, int8_t *out, int8_t *out2,
                    size_t y0, size_t y1)
{
    const size_t bytes = MPLAN_INTEGER_BYTES(p->kind);

    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        int8_t *to2 = &out2[mplan_row(&p->out2_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            take(p, from, to, to2);
            from = &from[p->classes * bytes];
            to = &to[p->k * bytes];
            to2 = &to2[p->k * sizeof(int32_t)];
        }
    }
}
