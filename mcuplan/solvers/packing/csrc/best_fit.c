/* SPDX-License-Identifier: Apache-2.0 */
/* Best fit: whatever can lie lowest goes next, by rank among equals. */
#include "fit.h"

#include <stdlib.h>
#include <string.h>

/* An offset that a buffer could have when the entry was made. */
typedef struct {
    int64_t offset, place, buffer;
} entry;

typedef struct {
    const packcore_table *t;
    int64_t *least, *pin_start, *pin; /* edges to pinned buffers, by buffer */
    entry *heap;
    int64_t count;
} filling;

static bool sooner(const entry *a, const entry *b)
{
    return a->offset != b->offset ? a->offset < b->offset : a->place < b->place;
}

static void push(filling *f, int64_t buffer)
{
    entry item = {f->least[buffer], f->t->rank[buffer], buffer};
    int64_t at = f->count++;
    while (at > 0 && sooner(&item, &f->heap[(at - 1) / 2])) {
        f->heap[at] = f->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    f->heap[at] = item;
}

static entry pop(filling *f)
{
    entry top = f->heap[0], item = f->heap[--f->count];
    int64_t at = 0;
    while (2 * at + 1 < f->count) {
        int64_t child = 2 * at + 1;
        child += child + 1 < f->count && sooner(&f->heap[child + 1], &f->heap[child]);
        if (!sooner(&f->heap[child], &item)) {
            break;
        }
        f->heap[at] = f->heap[child];
        at = child;
    }
    f->heap[at] = item;
    return top;
}

static void list_pinned(filling *f)
{
    const packcore_table *t = f->t;
    int64_t count = 0;
    for (int64_t i = 0; i < t->count; i++) {
        f->pin_start[i] = count;
        for (int64_t e = t->edge_start[i]; e < t->edge_start[i + 1]; e++) {
            if (t->pinned[t->edge_to[e]] >= 0) {
                f->pin[count++] = e;
            }
        }
    }
    f->pin_start[t->count] = count;
}

/* The lowest offset from `offset` on that no pinned neighbour forbids. */
static int64_t beside_pinned(const filling *f, int64_t buffer, int64_t offset)
{
    const packcore_table *t = f->t;
    bool moved = true;
    offset = fit_align(t, buffer, offset);
    while (moved) {
        moved = false;
        for (int64_t k = f->pin_start[buffer]; k < f->pin_start[buffer + 1]; k++) {
            int64_t e = f->pin[k], placed = t->pinned[t->edge_to[e]];
            if (placed - t->edge_above[e] < offset && offset < placed + t->edge_below[e]) {
                offset = fit_align(t, buffer, placed + t->edge_below[e]);
                moved = true;
            }
        }
    }
    return offset;
}

static int64_t fill(filling *f)
{
    const packcore_table *t = f->t;
    int64_t top = 0, *at = t->offset;
    list_pinned(f);
    memcpy(at, t->pinned, (size_t)t->count * sizeof *at);
    for (int64_t i = 0; i < t->count; i++) {
        int64_t end = at[i] + t->size[i];
        top = at[i] >= 0 && end > top ? end : top;
        f->least[i] = beside_pinned(f, i, 0);
        push(f, i);
    }
    while (f->count > 0) {
        entry item = pop(f);
        int64_t buffer = item.buffer;
        if (at[buffer] >= 0 || item.offset != f->least[buffer]) {
            continue;
        }
        at[buffer] = item.offset;
        int64_t end = at[buffer] + t->size[buffer];
        top = end > top ? end : top;
        for (int64_t e = t->edge_start[buffer]; e < t->edge_start[buffer + 1]; e++) {
            int64_t other = t->edge_to[e], above = item.offset + t->edge_above[e];
            if (at[other] < 0 && above > f->least[other]) {
                f->least[other] = beside_pinned(f, other, above);
                push(f, other);
            }
        }
    }
    return top;
}

packcore_status packcore_best_fit(const packcore_table *table, int64_t *rounds, int64_t *top)
{
    size_t count = (size_t)table->count, edges = (size_t)table->edge_start[count];
    filling f = {.t = table};
    f.least = malloc(count * sizeof *f.least);
    f.pin_start = malloc((count + 1U) * sizeof *f.pin_start);
    f.pin = malloc((edges + 1U) * sizeof *f.pin);
    f.heap = malloc((count + edges) * sizeof *f.heap); /* an entry per edge is the most */
    bool ok = f.least != NULL && f.pin_start != NULL && f.pin != NULL && f.heap != NULL;
    *rounds = 1;
    *top = ok ? fill(&f) : 0;
    free(f.least);
    free(f.pin_start);
    free(f.pin);
    free(f.heap);
    return ok ? PACKCORE_FOUND : PACKCORE_NO_MEMORY;
}
