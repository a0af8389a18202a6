/* SPDX-License-Identifier: 0BSD */
#include "mplan_trees_f32.h"

#include <string.h>

#define LEAF 0x7fffU
#define NAN_FIRST 0x8000U
#define INFINITE 0x7f800000

/* The bits of a float as an integer of the same order; above INFINITE: no number. */
static int32_t key_of(const float *value)
{
    int32_t bits = 0;

    (void)memcpy(&bits, value, sizeof bits);
    if ((bits & INT32_MAX) > INFINITE) {
        bits &= INT32_MAX;
    } else if (bits < 0) {
        bits = ((bits & INT32_MAX) == 0) ? 0 : (bits ^ INT32_MAX);
    } else {
        /* the bits of a number that is not negative are in order */
    }
    return bits;
}

/* The leaf of one tree. */
static size_t leaf_of(const mplan_trees_f32_t *p, const float *in, size_t root)
{
    size_t at = root;

    while ((p->feature[at] & LEAF) != LEAF) {
        const uint32_t feature = p->feature[at];
        const int32_t value = key_of(&in[feature & LEAF]);
        const int next = ((value > INFINITE) ? ((feature & NAN_FIRST) != 0U)
                                             : (value <= p->threshold[at]))
                             ? 1
                             : 0;

        at += (next != 0) ? 1U : (size_t)p->jump[at];
    }
    return p->jump[at];
}

static void one_sample(const mplan_trees_f32_t *p, const float *in, float *out)
{
    for (size_t t = 0U; t < p->targets; t++) {
        out[t] = 0.0f;
    }
    for (size_t tree = 0U; tree < p->trees; tree++) {
        const size_t leaf = leaf_of(p, in, p->root[tree]);

        for (size_t v = p->vote[leaf]; v < p->vote[leaf + 1U]; v++) {
            out[p->target[v]] += p->weight[v];
        }
    }
    for (size_t t = 0U; t < p->targets; t++) {
        out[t] += p->base[t];
    }
}

MPLAN_KERNEL
void mplan_trees_f32(const mplan_trees_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            one_sample(p, &from[x * p->features], &to[x * p->targets]);
        }
    }
}
