/* SPDX-License-Identifier: 0BSD */
#include "mplan_where_s8.h"

#include <string.h>

static void put(const mplan_where_s8_t *p, const int8_t *from, const int8_t *table, int8_t *out)
{
    if (table != NULL) {
        *out = table[(int32_t)*from + 128];
    } else if (p->size == 1U) {
        *out = *from;
    } else if (p->size == 4U) {
        uint32_t word;

        (void)memcpy(&word, from, sizeof word);
        (void)memcpy(out, &word, sizeof word);
    } else {
        (void)memmove(out, from, p->size);
    }
}

/* The operands of the innermost loop. */
typedef struct {
    const int8_t *condition;
    const int8_t *then;
    const int8_t *other;
} operands_t;

static void run(const mplan_where_s8_t *p, const operands_t *from, int8_t *out)
{
    for (size_t i = 0U; i < p->inner; i++) {
        if (from->condition[i * p->in_inner] != 0) {
            put(p, &from->then[i * p->in2_inner * p->size], p->table2, &out[i * p->size]);
        } else {
            put(p, &from->other[i * p->in3_inner * p->size], p->table3, &out[i * p->size]);
        }
    }
}

MPLAN_KERNEL
void mplan_where_s8(const mplan_where_s8_t *p, const int8_t *in, const int8_t *in2,
                    const int8_t *in3, int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const a = &in[mplan_row(&p->in_rows, y * p->in_moves)];
        const int8_t *const b = &in2[mplan_row(&p->in2_rows, y * p->in2_moves)];
        const int8_t *const c = &in3[mplan_row(&p->in3_rows, y * p->in3_moves)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->outer; i++) {
            for (size_t j = 0U; j < p->middle; j++) {
                const operands_t from = {
                    &a[(i * p->in_outer) + (j * p->in_middle)],
                    &b[((i * p->in2_outer) + (j * p->in2_middle)) * p->size],
                    &c[((i * p->in3_outer) + (j * p->in3_middle)) * p->size],
                };

                run(p, &from, to);
                to = &to[p->inner * p->size];
            }
        }
    }
}
