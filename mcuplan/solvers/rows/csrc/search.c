/* SPDX-License-Identifier: Apache-2.0 */
/* Orders of row moves with the least peak, best first; ../search.py says why that is enough. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

enum { START = -1, POLL = 64 };

typedef struct {
    const rowcore_table *t;
    rowcore_task *task;
    store states;
    rowcore_ways ways;
    int64_t *rank;  /* ways in the order in which they are put on the lists */
    int64_t *dead;  /* of one state */
    int32_t *corner, *least;
    int64_t *passed, passed_count, passed_room, *above, above_room;
    int32_t *low; /* of each passed state: no state from here to it has fewer bytes */
    int64_t low_room;
} hunt;

static bool at_least(const int32_t *one, const int32_t *two, int64_t steps)
{
    bool ok = true;
    for (int64_t s = steps - 1; ok && s >= 0; s--) {
        ok = one[s] >= two[s];
    }
    return ok;
}

static bool same(const int32_t *one, const int32_t *two, int64_t steps)
{
    return memcmp(one, two, (size_t)steps * sizeof *one) == 0;
}

static void note(hunt *h, int64_t state)
{
    bool *full = &h->states.full;
    int64_t needed = h->passed_count + 1;
    size_t steps = (size_t)h->t->steps, row = steps * sizeof(int32_t);
    h->passed = store_grow(h->passed, &h->passed_room, needed, sizeof *h->passed, full);
    h->above = store_grow(h->above, &h->above_room, needed, sizeof *h->above, full);
    h->low = store_grow(h->low, &h->low_room, needed, row, full);
    if (!*full) {
        memcpy(&h->low[(size_t)h->passed_count * steps], store_counts(&h->states, state), row);
        h->passed[h->passed_count++] = state;
    }
}

/* Passed states that have all that a state has, and no more bytes: how many. */
static int64_t above(hunt *h, int64_t state)
{
    const store *f = &h->states;
    const int32_t *counts = store_counts(f, state);
    int64_t count = 0;
    for (int64_t k = 0; k < h->passed_count; k++) {
        int64_t other = h->passed[k];
        if (f->live[other] <= f->live[state] && f->size[other] >= f->size[state] &&
            at_least(store_counts(f, other), counts, h->t->steps)) {
            h->above[count++] = k;
        }
    }
    return count;
}

/* Puts the state that leaves another behind into `least`; the passed one is the answer. */
static int64_t prove(hunt *h, int64_t state, int64_t count)
{
    const store *f = &h->states;
    int64_t steps = h->t->steps, nearest = h->above[0];
    for (int64_t k = 1; k < count; k++) {
        if (f->size[h->passed[h->above[k]]] < f->size[h->passed[nearest]]) {
            nearest = h->above[k];
        }
    }
    const int32_t *counts = store_counts(f, state);
    const int32_t *high = store_counts(f, h->passed[nearest]);
    int32_t *low = &h->low[nearest * steps];
    for (int64_t s = 0; s < steps; s++) {
        h->corner[s] = low[s] < counts[s] ? low[s] : counts[s];
    }
    if (!same(h->corner, counts, steps)) {
        h->states.full = !rowcore_least(h->t, h->corner, high, h->least);
        if (!h->states.full && same(h->least, high, steps)) {
            memcpy(low, h->corner, (size_t)steps * sizeof *low);
            return h->passed[nearest];
        }
    }
    if (!h->states.full) {
        h->states.full = !rowcore_least(h->t, counts, high, h->least);
        if (!h->states.full && same(h->least, high, steps)) {
            memcpy(low, counts, (size_t)steps * sizeof *low);
        }
    }
    return h->passed[nearest];
}

/* Whether a state is left behind by one passed; then the way to go on is open. */
static bool left_behind(hunt *h, int64_t state)
{
    int64_t steps = h->t->steps, count = above(h, state), known = h->task->exact ? -1 : count - 1;
    for (int64_t k = count - 1; known < 0 && k >= 0; k--) {
        if (at_least(store_counts(&h->states, state), &h->low[h->above[k] * steps], steps)) {
            known = k;
        }
    }
    if (count > 0 && known < 0) {
        int64_t passed = prove(h, state, count);
        if (!h->states.full) {
            rowcore_dead(h->t, h->least, h->dead);
            int64_t live = rowcore_live(h->t, h->least, h->dead);
            int64_t other = store_number(&h->states, h->least, live);
            if (other >= 0 && store_enter(&h->states, other, passed, STORE_PART)) {
                store_open(&h->states, other);
            }
        }
    }
    return count > 0;
}

static bool before(const rowcore_way *one, const rowcore_way *two)
{
    return one->live - one->peak < two->live - two->peak;
}

static void put_off(hunt *h, int64_t state)
{
    store *f = &h->states;
    for (int64_t k = 0; k < h->ways.count; k++) { /* stable */
        int64_t at = k;
        while (at > 0 && before(&h->ways.ways[k], &h->ways.ways[h->rank[at - 1]])) {
            h->rank[at] = h->rank[at - 1];
            at--;
        }
        h->rank[at] = k;
    }
    for (int64_t k = 0; k < h->ways.count && !f->full; k++) {
        const rowcore_way *way = &h->ways.ways[h->rank[k]];
        int64_t to = store_number(f, way->state, way->live);
        if (f->full) {
            break;
        }
        if (way->peak > h->task->limit) {
            deferred item = {way->peak, ++f->ticks, to, state, way->last};
            store_later(f, item);
        } else if (store_enter(f, to, state, way->last)) {
            store_open(f, to);
        }
    }
}

/* Takes all safe steps, then puts the others on the lists; -1 if that leads to a known state. */
static int64_t go_on(hunt *h, int64_t state)
{
    store *f = &h->states;
    while (!f->full) {
        int64_t live = f->live[state];
        const rowcore_way *best = NULL;
        rowcore_ways_from(h->t, &h->ways, store_counts(f, state), live);
        for (int64_t k = 0; k < h->ways.count; k++) {
            const rowcore_way *way = &h->ways.ways[k];
            if (way->live <= live && way->peak <= h->task->limit &&
                (best == NULL || way->live < best->live)) {
                best = way;
            }
        }
        if (best == NULL) {
            put_off(h, state);
            return state;
        }
        int64_t to = store_number(f, best->state, best->live);
        if (to < 0 || !store_enter(f, to, state, best->last)) {
            return -1;
        }
        state = to;
    }
    return -1;
}

static bool raise_limit(hunt *h)
{
    store *f = &h->states;
    if (f->later_count == 0) {
        h->task->limit = h->task->end;
    }
    while (f->later_count > 0 && !f->full &&
           (f->later[0].peak <= h->task->limit || f->open_count == 0)) {
        deferred item = store_sooner(f);
        h->task->limit = item.peak > h->task->limit ? item.peak : h->task->limit;
        if (store_enter(f, item.state, item.origin, item.last)) {
            store_open(f, item.state);
        }
    }
    store_sort(f);
    return f->open_count > 0;
}

static bool at_end(const hunt *h, int64_t state)
{
    bool end = true;
    for (int64_t s = 0; end && s < h->t->steps; s++) {
        end = store_counts(&h->states, state)[s] == h->t->totals[s];
    }
    return end;
}

static rowcore_status run(hunt *h, int64_t *count, int64_t *end)
{
    store *f = &h->states;
    rowcore_task *task = h->task;
    while (task->limit < task->end && (f->open_count > 0 || raise_limit(h))) {
        int64_t state = f->open[--f->open_count];
        if (left_behind(h, state)) {
            continue;
        }
        *count += 1;
        if (*count > task->states || (*count % POLL == 0 && task->stop(task->data))) {
            return ROWCORE_STOPPED;
        }
        *end = go_on(h, state);
        if (f->full) {
            return ROWCORE_NO_MEMORY;
        }
        if (*end >= 0 && at_end(h, *end)) {
            return ROWCORE_FOUND;
        }
        if (*end >= 0) {
            note(h, *end);
        }
    }
    return f->full ? ROWCORE_NO_MEMORY : ROWCORE_OVER;
}

static bool begin(hunt *h)
{
    const rowcore_table *t = h->t;
    size_t steps = (size_t)t->steps, chains = (size_t)t->chains + 1U;
    bool ok = rowcore_ways_init(t, &h->ways);
    h->rank = malloc(chains * sizeof *h->rank);
    h->dead = malloc(chains * sizeof *h->dead);
    h->corner = calloc(steps, sizeof *h->corner);
    h->least = calloc(steps, sizeof *h->least);
    ok = ok && h->rank && h->dead && h->corner && h->least;
    for (int64_t s = 0; ok && s < t->steps; s++) {
        h->corner[s] = (int32_t)t->begun[s];
    }
    int64_t start = -1;
    if (ok) {
        rowcore_dead(t, h->corner, h->dead);
        start = store_number(&h->states, h->corner, rowcore_live(t, h->corner, h->dead));
    }
    if (start >= 0) {
        store_enter(&h->states, start, START, START);
        store_open(&h->states, start);
    }
    return start >= 0 && !h->states.full;
}

rowcore_status rowcore_search(const rowcore_table *table, rowcore_task *task, int64_t *count,
                              int64_t *order)
{
    hunt h = {.t = table, .task = task, .states = {.t = table}};
    int64_t end = -1;
    *count = 0;
    rowcore_status status = begin(&h) ? run(&h, count, &end) : ROWCORE_NO_MEMORY;
    if (status == ROWCORE_FOUND) { /* the way may be longer than the list was */
        store *f = &h.states;
        f->open = store_grow(f->open, &f->open_room, f->state_count, sizeof *f->open, &f->full);
        status = f->full ? ROWCORE_NO_MEMORY : status;
    }
    if (status == ROWCORE_FOUND) {
        store_order(&h.states, end, order, h.corner, h.least);
    }
    store_free(&h.states);
    rowcore_ways_free(&h.ways);
    free(h.rank);
    free(h.dead);
    free(h.corner);
    free(h.least);
    free(h.passed);
    free(h.above);
    free(h.low);
    return status;
}
