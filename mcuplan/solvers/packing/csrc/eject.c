/* SPDX-License-Identifier: Apache-2.0 */
/* Ejection with penalties (after Nagata and Braysy 2009): a buffer that finds no room within the
 * capacity takes that of those which have caused the least trouble so far; these look for other
 * room in turn, the last one first. Within a tight capacity it finds what no order of first fit
 * does, for a buffer need not lie as low as it can. */
#include "fit.h"

#include <stdlib.h>
#include <string.h>

/* Placed by nobody but its pin: more than all counters together. */
#define NEVER ((int64_t)1 << 40)

typedef struct {
    int64_t low, high; /* an offset strictly in between meets it */
    int64_t penalty, buffer;
} neighbour;

typedef struct {
    int64_t at, penalty;
} mark;

typedef struct {
    const packcore_table *t;
    neighbour *near;
    mark *lows, *highs; /* of the neighbours, ascending */
    int64_t *penalty, *pool;
    int64_t near_count, pool_count;
    uint32_t state;
} ejector;

static int64_t any_of(ejector *e, int64_t count)
{
    e->state = e->state * 1664525U + 1013904223U;
    return (int64_t)((e->state >> 8) % (uint32_t)count);
}

/* Shell's sort, with gaps of Ciura 2001: marks are few. */
static void sort_marks(mark *marks, int64_t count)
{
    static const int64_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0U; g < sizeof gaps / sizeof gaps[0]; g++) {
        for (int64_t i = gaps[g]; i < count; i++) {
            mark one = marks[i];
            int64_t k = i;
            for (; k >= gaps[g] && marks[k - gaps[g]].at > one.at; k -= gaps[g]) {
                marks[k] = marks[k - gaps[g]];
            }
            marks[k] = one;
        }
    }
}

/* Neighbours that are placed. */
static void look(ejector *e, int64_t buffer)
{
    const packcore_table *t = e->t;
    e->near_count = 0;
    for (int64_t k = t->edge_start[buffer]; k < t->edge_start[buffer + 1]; k++) {
        int64_t other = t->edge_to[k], at = t->offset[other];
        neighbour one = {at - t->edge_above[k], at + t->edge_below[k], 0, other};
        if (at >= 0 && one.low + 1 < one.high) {
            one.penalty = e->penalty[other];
            e->lows[e->near_count] = (mark){one.low, one.penalty};
            e->highs[e->near_count] = (mark){one.high, one.penalty};
            e->near[e->near_count++] = one;
        }
    }
    sort_marks(e->lows, e->near_count);
    sort_marks(e->highs, e->near_count);
}

static int64_t between(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/*
 * Of the offsets at which the buffer touches a neighbour or an end, the one with the least
 * penalties in its way, any of equals; -1 where only pins leave none. They are gone through
 * upwards: neighbours come into the way behind their low marks, and leave it at the high ones.
 */
static int64_t cheapest(ejector *e, int64_t buffer, int64_t *least)
{
    int64_t best = -1, before = -1, equals = 0, sum = 0, lows = 0, highs = 0, count = e->near_count;
    int64_t align = e->t->align[buffer];
    int64_t room = e->t->capacity - e->t->size[buffer];
    int64_t last = room < 0 ? -1 : room / align * align; /* a quotient is cut towards zero */
    *least = NEVER;
    for (int64_t i = 0, k = -1; (i <= count || k < count) && last >= 0;) {
        int64_t below = i < count ? between(e->lows[i].at, 0, last) / align * align : last;
        int64_t above = k < 0 ? 0 : k < count ? fit_align(e->t, buffer, e->highs[k].at) : last + 1;
        int64_t offset = i <= count && below <= above ? below : above;
        i += offset == below ? 1 : 0;
        k += offset == above ? 1 : 0;
        if (offset > last) {
            break;
        }
        if (offset == before) {
            continue;
        }
        before = offset;
        for (; lows < count && e->lows[lows].at < offset; lows++) {
            sum += e->lows[lows].penalty;
        }
        for (; highs < count && e->highs[highs].at <= offset; highs++) {
            sum -= e->highs[highs].penalty;
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
        int64_t offset = cheapest(e, buffer, &least);
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
    int64_t *cells = malloc(3U * count * sizeof *cells + 1U);
    mark *marks = malloc((2U * most + 1U) * sizeof *marks);
    neighbour *near = malloc((most + 1U) * sizeof *near);
    packcore_status status = PACKCORE_NO_MEMORY;
    ejector e = {.t = table, .near = near, .lows = marks, .state = (uint32_t)table->rule + 1U};
    bool fits = true;
    *turns = 0;
    *top = 0;
    if (cells != NULL && near != NULL && marks != NULL && fit_order(table, cells)) {
        e.pool = cells + count;
        e.penalty = cells + 2U * count;
        e.highs = marks + most;
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
    free(marks);
    free(cells);
    return status;
}
