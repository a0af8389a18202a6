/* SPDX-License-Identifier: Apache-2.0 */
/* Squeaky wheel optimization (Joslin and Clements 1999): every round places all buffers by first
 * fit; those that end above what is to be undercut go some places earlier the next time. */
#include "fit.h"

#include <stdlib.h>
#include <string.h>

enum { STRIDE = 5, STRIDES = 8, SHARE = 10 };

typedef struct {
    const packcore_table *t;
    fit *f;
    int64_t *at, *order;
    fit_rank *ranks, *sorted;
    uint32_t state;
} wheel;

static void reorder(wheel *w)
{
    int64_t count = w->t->count;
    memcpy(w->sorted, w->ranks, (size_t)count * sizeof *w->sorted);
    fit_sort(w->sorted, count);
    for (int64_t i = 0; i < count; i++) {
        w->order[i] = w->sorted[i].buffer;
    }
}

/* Even rules: up to a tenth of all places forward, and what was gained before is kept. Odd ones:
 * a multiple of a few places, from where the buffer stands now. Bit 1 of the rule: what ends in
 * the upper half between the goal and the best is to blame, not only what is highest. The rest of
 * the rule is a seed. */
static void blame(wheel *w, int64_t line)
{
    const packcore_table *t = w->t;
    int64_t reach = t->count / SHARE < 2 ? 2 : t->count / SHARE;
    for (int64_t i = 0; t->rule % 2 == 1 && i < t->count; i++) {
        w->ranks[w->order[i]].place = i;
    }
    for (int64_t i = 0; i < t->count; i++) {
        if (t->pinned[i] < 0 && w->at[i] + t->size[i] > line) {
            w->state = (w->state * 1103515245U + 12345U) & 0x7FFFFFFFU;
            int64_t drawn = (int64_t)(w->state >> 8);
            int64_t steps = t->rule % 2 == 1 ? STRIDE * (1 + drawn % STRIDES) : 1 + drawn % reach;
            w->ranks[i].place -= steps;
        }
    }
}

static packcore_status turn(wheel *w, int64_t *rounds, int64_t *best)
{
    const packcore_table *t = w->t;
    packcore_status status = PACKCORE_FOUND;
    reorder(w);
    for (int64_t i = 0; i < t->count; i++) {
        w->ranks[w->order[i]].place = i;
    }
    while (status == PACKCORE_FOUND && *rounds < t->node_limit) {
        ++*rounds;
        int64_t top = fit_first(w->f, w->order, w->at);
        if (top < *best) {
            *best = top;
            memcpy(t->offset, w->at, (size_t)t->count * sizeof *w->at);
        }
        if (*best <= t->capacity) {
            break;
        }
        status = t->poll(t->poll_data) ? PACKCORE_STOPPED : PACKCORE_FOUND;
        blame(w, t->rule / 2 % 2 == 1 ? (*best + t->capacity) / 2 : *best - 1);
        reorder(w);
    }
    return status;
}

packcore_status packcore_squeaky_wheel(const packcore_table *table, int64_t *rounds, int64_t *best)
{
    size_t count = (size_t)table->count;
    int64_t *cells = malloc(2U * count * sizeof *cells);
    fit_rank *ranks = malloc(2U * count * sizeof *ranks);
    wheel w = {table, fit_new(table), cells, NULL, ranks, NULL, (uint32_t)table->rule / 4U + 1U};
    packcore_status status = PACKCORE_NO_MEMORY;
    *rounds = 0;
    *best = INT64_MAX;
    if (cells != NULL && ranks != NULL && w.f != NULL) {
        w.order = cells + count;
        w.sorted = ranks + count;
        for (int64_t i = 0; i < table->count; i++) {
            table->offset[i] = -1;
            ranks[i] = (fit_rank){table->rank[i], i};
        }
        status = turn(&w, rounds, best);
    }
    free(w.f);
    free(cells);
    free(ranks);
    return status;
}
