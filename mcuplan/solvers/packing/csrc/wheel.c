/* SPDX-License-Identifier: Apache-2.0 */
/* Local search on orders: wheel.py, compiled. Every change must be made in both. */
#include "packcore.h"

#include <stdlib.h>
#include <string.h>

enum { STRIDE = 5, STRIDES = 8 };

typedef struct {
    int64_t place, buffer;
} rank;

static int compare(const void *one, const void *two)
{
    const rank *a = one, *b = two;
    int result = (a->place > b->place) - (a->place < b->place);
    return result != 0 ? result : (a->buffer > b->buffer) - (a->buffer < b->buffer);
}

/* Lowest offset that no placed neighbour forbids. A jump over one is final: all offsets
 * jumped over are forbidden by it. */
static int64_t lowest(const packcore_table *t, int64_t buffer, const int64_t *at)
{
    int64_t begin = t->edge_start[buffer], end = t->edge_start[buffer + 1];
    int64_t align = t->align[buffer], offset = 0, seen = 0, e = begin;
    while (seen < end - begin) {
        int64_t placed = at[t->edge_to[e]];
        seen++;
        if (placed >= 0 && placed - t->edge_above[e] < offset &&
            offset < placed + t->edge_below[e]) {
            offset = placed + t->edge_below[e];
            offset = align == 1 ? offset : (offset + align - 1) / align * align;
            seen = 1;
        }
        e = e + 1 == end ? begin : e + 1;
    }
    return offset;
}

static int64_t first_fit(const packcore_table *t, const int64_t *order, int64_t *at)
{
    int64_t top = 0;
    memcpy(at, t->pinned, (size_t)t->count * sizeof(*at));
    for (int64_t i = 0; i < t->count; i++) {
        if (at[order[i]] < 0) {
            at[order[i]] = lowest(t, order[i], at);
        }
        int64_t end = at[order[i]] + t->size[order[i]];
        top = end > top ? end : top;
    }
    return top;
}

/* Buffers that end above the line move some places towards the front. */
static void blame(const packcore_table *t, const int64_t *at, int64_t line, rank *ranks,
                  uint32_t *state)
{
    for (int64_t i = 0; i < t->count; i++) {
        if (at[i] + t->size[i] > line) {
            *state = (*state * 1103515245U + 12345U) & 0x7FFFFFFFU;
            ranks[i].place -= STRIDE * (1 + (int64_t)((*state >> 8) % STRIDES));
        }
    }
}

/* The order that follows from `ranks`, which then hold the place of every buffer in it. */
static void reorder(const packcore_table *t, int64_t *order, rank *ranks, rank *sorted)
{
    memcpy(sorted, ranks, (size_t)t->count * sizeof(*sorted));
    qsort(sorted, (size_t)t->count, sizeof(*sorted), compare);
    for (int64_t i = 0; i < t->count; i++) {
        order[i] = sorted[i].buffer;
        ranks[order[i]].place = i;
    }
}

static packcore_status turn(const packcore_table *t, int64_t *cells, rank *ranks, int64_t *rounds,
                            int64_t *best)
{
    int64_t *at = cells, *order = cells + t->count;
    packcore_status status = PACKCORE_FOUND;
    uint32_t state = (uint32_t)t->rule + 1U;
    for (int64_t i = 0; i < t->count; i++) {
        t->offset[i] = -1;
        ranks[i].place = t->rank[i];
        ranks[i].buffer = i;
    }
    reorder(t, order, ranks, ranks + t->count);
    while (status == PACKCORE_FOUND && *rounds < t->node_limit) {
        ++*rounds;
        int64_t top = first_fit(t, order, at);
        if (top < *best) {
            *best = top;
            memcpy(t->offset, at, (size_t)t->count * sizeof(*at));
        }
        if (*best <= t->capacity) {
            break;
        }
        if (t->poll(t->poll_data)) {
            status = PACKCORE_STOPPED;
        }
        int64_t line = t->rule % 4 > 1 ? *best - 1 : (*best + t->capacity) / 2;
        blame(t, at, line, ranks, &state);
        reorder(t, order, ranks, ranks + t->count);
    }
    return status;
}

packcore_status packcore_rearrange(const packcore_table *table, int64_t *rounds, int64_t *best)
{
    size_t count = (size_t)table->count;
    int64_t *cells = calloc(2U * count, sizeof(*cells));
    rank *ranks = calloc(2U * count, sizeof(*ranks));
    packcore_status status = PACKCORE_NO_MEMORY;
    *rounds = 0;
    *best = INT64_MAX;
    if (cells != NULL && ranks != NULL) {
        status = turn(table, cells, ranks, rounds, best);
    }
    free(cells);
    free(ranks);
    return status;
}
