/* SPDX-License-Identifier: 0BSD */
#include "mplan_trees_s8.h"

#define LEAF 0x7fffU

/* The leaf of one tree. */
static size_t leaf_of(const mplan_trees_s8_t *p, const int8_t *in, size_t root)
{
    size_t at = root;

    while ((p->feature[at] & LEAF) != LEAF) {
        const int32_t value = in[p->feature[at] & LEAF];

        at += (value <= p->threshold[at]) ? 1U : (size_t)p->jump[at];
    }
    return p->jump[at];
}

static void one_sample(const mplan_trees_s8_t *p, const int8_t *in, int8_t *out, int32_t *sums)
{
    const int32_t half = (int32_t)((1UL << p->shift) >> 1);

    for (size_t t = 0U; t < p->targets; t++) {
        sums[t] = p->base[t];
    }
    for (size_t tree = 0U; tree < p->trees; tree++) {
        const size_t leaf = leaf_of(p, in, p->root[tree]);

        for (size_t v = p->vote[leaf]; v < p->vote[leaf + 1U]; v++) {
            sums[p->target[v]] += p->weight[v];
        }
    }
    for (size_t t = 0U; t < p->targets; t++) {
        const int32_t steps = (sums[t] + half) >> p->shift;

        out[t] = (int8_t)mplan_clamp(steps + p->out_zero_point, -128, 127);
    }
}

MPLAN_KERNEL
void mplan_trees_s8(const mplan_trees_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1,
                    int8_t *scratch)
{
    int32_t *const sums = (int32_t *)(void *)scratch;

    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            one_sample(p, &from[x * p->features], &to[x * p->targets], sums);
        }
    }
}
