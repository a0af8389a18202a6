/* SPDX-License-Identifier: Apache-2.0 */
/* Ejection with penalties (after Nagata and Braysy 2009): a buffer that finds no room within the
 * capacity takes that of those which have caused the least trouble so far; these look for other
 * room in turn, the last one first. Within a tight capacity it finds what no order of first fit
 * does, for a buffer need not lie as low as it can. */
#include "fit.h"

#include <stdlib.h>
#include <string.h>

/* Placed by nobody but its pin: more than all counters together. */
#define NEVER (INT64_MAX / 4)

typedef struct {
    int64_t low, high; /* an offset strictly in between meets it */
    int64_t penalty, buffer;
} neighbour;

typedef struct {
    const packcore_table *t;
    neighbour *near;
    int64_t *penalty, *pool, *options;
    int64_t near_count, pool_count, option_count;
    uint32_t state;
} ejector;

static int64_t any_of(ejector *e, int64_t count)
{
    e->state = e->state * 1664525U + 1013904223U;
    return (int64_t)((e->state >> 8) % (uint32_t)count);
}

static void offer(ejector *e, int64_t buffer, int64_t offset)
{
    if (offset >= 0 && offset + e->t->size[buffer] <= e->t->capacity) {
        e->options[e->option_count++] = offset;
    }
}

/* Neighbours that are placed, and the offsets at which the buffer touches one, or an end. */
static void look(ejector *e, int64_t buffer)
{
    const packcore_table *t = e->t;
    int64_t align = t->align[buffer];
    e->near_count = 0;
    e->option_count = 0;
    offer(e, buffer, 0);
    if (t->capacity > t->size[buffer]) {
        offer(e, buffer, (t->capacity - t->size[buffer]) / align * align);
    }
    for (int64_t k = t->edge_start[buffer]; k < t->edge_start[buffer + 1]; k++) {
        int64_t other = t->edge_to[k], at = t->offset[other];
        if (at >= 0) {
            neighbour one = {at - t->edge_above[k], at + t->edge_below[k], e->penalty[other],
                             other};
            e->near[e->near_count++] = one;
            offer(e, buffer, fit_align(t, buffer, one.high));
            offer(e, buffer, one.low < 0 ? -1 : one.low / align * align);
        }
    }
}

/* The option with the least penalties in its way, any of equals; -1 where only pins leave none. */
static int64_t cheapest(ejector *e, int64_t *least)
{
    int64_t best = -1, equals = 0;
    *least = NEVER;
    for (int64_t i = 0; i < e->option_count; i++) {
        int64_t offset = e->options[i], sum = 0;
        for (int64_t k = 0; k < e->near_count && sum <= *least; k++) {
            const neighbour *one = &e->near[k];
            sum += one->low < offset && offset < one->high ? one->penalty : 0;
        }
        equals = sum < *least ? 1 : equals + 1;
        if (sum < *least || (sum == *least && best >= 0 && any_of(e, equals) == 0)) {
            *least = sum;
            best = offset;
        }
    }
    return best;
}

static packcore_status empty_pool(ejector *e, int64_t *turns)
{
    const packcore_table *t = e->t;
    packcore_status status = PACKCORE_FOUND;
    while (e->pool_count > 0 && status == PACKCORE_FOUND) {
        int64_t least, buffer = e->pool[--e->pool_count];
        look(e, buffer);
        int64_t offset = cheapest(e, &least);
        if (offset < 0 || *turns >= t->node_limit) {
            return PACKCORE_LIMIT;
        }
        ++*turns;
        e->penalty[buffer] += least > 0 ? 1 : 0;
        t->offset[buffer] = offset;
        for (int64_t k = 0; least > 0 && k < e->near_count; k++) {
            const neighbour *one = &e->near[k];
            if (one->low < offset && offset < one->high) {
                t->offset[one->buffer] = -1;
                e->pool[e->pool_count++] = one->buffer;
            }
        }
        if (*turns % PACKCORE_POLL_NODES == 0 && t->poll(t->poll_data)) {
            status = PACKCORE_STOPPED;
        }
    }
    return status;
}

packcore_status packcore_eject(const packcore_table *table, int64_t *turns, int64_t *top)
{
    size_t count = (size_t)table->count, most = 0U;
    for (size_t i = 0U; i < count; i++) {
        size_t conflicts = (size_t)(table->edge_start[i + 1U] - table->edge_start[i]);
        most = conflicts > most ? conflicts : most;
    }
    int64_t *cells = malloc((3U * count + 2U * most + 2U) * sizeof *cells);
    neighbour *near = malloc((most + 1U) * sizeof *near);
    packcore_status status = PACKCORE_NO_MEMORY;
    ejector e = {.t = table, .near = near, .state = (uint32_t)table->rule + 1U};
    bool fits = true;
    *turns = 0;
    *top = 0;
    if (cells != NULL && near != NULL && fit_order(table, cells)) {
        e.pool = cells + count;
        e.penalty = cells + 2U * count;
        e.options = cells + 3U * count;
        memcpy(table->offset, table->pinned, count * sizeof *table->offset);
        for (size_t i = count; i-- > 0U;) {
            int64_t buffer = cells[i];
            bool pinned = table->pinned[buffer] >= 0;
            e.penalty[buffer] = pinned ? NEVER : 1;
            if (!pinned) {
                e.pool[e.pool_count++] = buffer;
            }
            fits = fits && (!pinned || table->pinned[buffer] + table->size[buffer] <=
                                           table->capacity);
        }
        status = fits ? empty_pool(&e, turns) : PACKCORE_LIMIT;
        for (size_t i = 0U; i < count; i++) {
            int64_t end = table->offset[i] + table->size[i];
            *top = end > *top ? end : *top;
        }
    }
    free(near);
    free(cells);
    return status;
}
