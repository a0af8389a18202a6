/* SPDX-License-Identifier: Apache-2.0 */
/* Hill climbing on orders: a topmost buffer moves before one that it is alive with. */
#include "fit.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const packcore_table *t;
    fit *f;
    int64_t *order, *trial, *at, *found, *tops;
    uint32_t state;
} climber;

static int64_t any_of(climber *c, int64_t count)
{
    c->state = (c->state * 1103515245U + 12345U) & 0x7FFFFFFFU;
    return (int64_t)(c->state >> 8) % count;
}

/* Writes the order with one buffer moved to `trial`. */
static void move(climber *c, int64_t height)
{
    const packcore_table *t = c->t;
    int64_t count = 0, placed = 0;
    for (int64_t i = 0; i < t->count; i++) {
        if (c->at[i] + t->size[i] >= height) {
            c->tops[count++] = i;
        }
    }
    int64_t top = c->tops[any_of(c, count)];
    int64_t begin = t->edge_start[top], near = t->edge_start[top + 1] - begin;
    int64_t chosen = any_of(c, near > 0 ? near : t->count);
    int64_t target = near > 0 ? t->edge_to[begin + chosen] : c->order[chosen];
    if (target == top) {
        c->trial[placed++] = top;
    }
    for (int64_t i = 0; i < t->count; i++) {
        if (c->order[i] == target && target != top) {
            c->trial[placed++] = top;
        }
        if (c->order[i] != top) {
            c->trial[placed++] = c->order[i];
        }
    }
}

static packcore_status climb(climber *c, int64_t *moves, int64_t *best)
{
    const packcore_table *t = c->t;
    packcore_status status = PACKCORE_FOUND;
    int64_t height = fit_first(c->f, c->order, c->at);
    *best = height;
    memcpy(t->offset, c->at, (size_t)t->count * sizeof *c->at);
    while (*moves < t->node_limit && *best > t->capacity && status == PACKCORE_FOUND) {
        ++*moves;
        move(c, height);
        int64_t top = fit_first(c->f, c->trial, c->found);
        if (top < *best) {
            *best = top;
            memcpy(t->offset, c->found, (size_t)t->count * sizeof *c->found);
        }
        if (top <= height) {
            int64_t *swap = c->order;
            c->order = c->trial;
            c->trial = swap;
            swap = c->at;
            c->at = c->found;
            c->found = swap;
            height = top;
        }
        status = t->poll(t->poll_data) ? PACKCORE_STOPPED : PACKCORE_FOUND;
    }
    return status;
}

packcore_status packcore_climb(const packcore_table *table, int64_t *moves, int64_t *best)
{
    size_t count = (size_t)table->count;
    int64_t *cells = malloc(5U * count * sizeof *cells);
    packcore_status status = PACKCORE_NO_MEMORY;
    climber c = {.t = table, .f = fit_new(table), .state = 1U};
    *moves = 0;
    *best = INT64_MAX;
    if (cells != NULL && c.f != NULL && fit_order(table, cells)) {
        c.order = cells;
        c.trial = cells + count;
        c.at = cells + 2U * count;
        c.found = cells + 3U * count;
        c.tops = cells + 4U * count;
        status = climb(&c, moves, best);
    }
    free(c.f);
    free(cells);
    return status;
}
