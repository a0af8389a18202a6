/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

void *store_grow(void *old, int64_t *room, int64_t needed, size_t item, bool *full)
{
    if (needed <= *room || *full) {
        return old;
    }
    int64_t more = *room < 1024 ? 1024 : 2 * *room;
    more = more < needed ? needed : more;
    void *made = realloc(old, (size_t)more * item);
    *full = made == NULL;
    *room = *full ? *room : more;
    return *full ? old : made;
}

static uint64_t hash(const int32_t *counts, int64_t steps)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (int64_t s = 0; s < steps; s++) {
        h = (h ^ (uint64_t)(uint32_t)counts[s]) * UINT64_C(1099511628211);
        h ^= h >> 29;
    }
    return h;
}

const int32_t *store_counts(const store *f, int64_t state)
{
    return &f->counts[state * f->t->steps];
}

static void rehash(store *f)
{
    int64_t count = f->slot_count < 1024 ? 4096 : 4 * f->slot_count;
    int64_t *slots = malloc((size_t)count * sizeof *slots);
    f->full = f->full || slots == NULL;
    if (f->full) {
        free(slots);
        return;
    }
    for (int64_t k = 0; k < count; k++) {
        slots[k] = -1;
    }
    for (int64_t state = 0; state < f->state_count; state++) {
        uint64_t at = hash(store_counts(f, state), f->t->steps) & (uint64_t)(count - 1);
        while (slots[at] >= 0) {
            at = (at + 1U) & (uint64_t)(count - 1);
        }
        slots[at] = state;
    }
    free(f->slots);
    f->slots = slots;
    f->slot_count = count;
}

static void room_for_state(store *f)
{
    int64_t needed = f->state_count + 1, old = f->state_room, room = old;
    size_t steps = (size_t)f->t->steps;
    f->counts = store_grow(f->counts, &room, needed, steps * sizeof *f->counts, &f->full);
    room = old;
    f->live = store_grow(f->live, &room, needed, sizeof *f->live, &f->full);
    room = old;
    f->size = store_grow(f->size, &room, needed, sizeof *f->size, &f->full);
    room = old;
    f->origin = store_grow(f->origin, &room, needed, sizeof *f->origin, &f->full);
    room = old;
    f->last = store_grow(f->last, &room, needed, sizeof *f->last, &f->full);
    f->state_room = f->full ? old : room;
    if (2 * needed > f->slot_count) {
        rehash(f);
    }
}

int64_t store_number(store *f, const int32_t *counts, int64_t live)
{
    int64_t steps = f->t->steps;
    room_for_state(f);
    if (f->full) {
        return -1;
    }
    uint64_t at = hash(counts, steps) & (uint64_t)(f->slot_count - 1);
    while (f->slots[at] >= 0) {
        int64_t known = f->slots[at];
        if (memcmp(store_counts(f, known), counts, (size_t)steps * sizeof *counts) == 0) {
            return known;
        }
        at = (at + 1U) & (uint64_t)(f->slot_count - 1);
    }
    int64_t state = f->state_count++;
    memcpy(&f->counts[state * steps], counts, (size_t)steps * sizeof *counts);
    f->slots[at] = state;
    f->live[state] = live;
    f->size[state] = 0;
    f->origin[state] = -2;
    for (int64_t s = 0; s < steps; s++) {
        f->size[state] += counts[s];
    }
    return state;
}

bool store_enter(store *f, int64_t state, int64_t origin, int64_t last)
{
    bool fresh = f->origin[state] == -2;
    if (fresh) {
        f->origin[state] = origin;
        f->last[state] = last;
    }
    return fresh;
}

void store_open(store *f, int64_t state)
{
    f->open = store_grow(f->open, &f->open_room, f->open_count + 1, sizeof *f->open, &f->full);
    if (!f->full) {
        f->open[f->open_count++] = state;
    }
}

static bool sooner(const deferred *a, const deferred *b)
{
    return a->peak < b->peak || (a->peak == b->peak && a->tick < b->tick);
}

void store_later(store *f, deferred item)
{
    f->later = store_grow(f->later, &f->later_room, f->later_count + 1, sizeof *f->later, &f->full);
    if (f->full) {
        return;
    }
    int64_t at = f->later_count++;
    while (at > 0 && sooner(&item, &f->later[(at - 1) / 2])) {
        f->later[at] = f->later[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    f->later[at] = item;
}

deferred store_sooner(store *f)
{
    deferred top = f->later[0], item = f->later[--f->later_count];
    int64_t at = 0;
    while (2 * at + 1 < f->later_count) {
        int64_t child = 2 * at + 1;
        child += child + 1 < f->later_count && sooner(&f->later[child + 1], &f->later[child]);
        if (!sooner(&f->later[child], &item)) {
            break;
        }
        f->later[at] = f->later[child];
        at = child;
    }
    f->later[at] = item;
    return top;
}

/* By size, else as they were. */
void store_sort(store *f)
{
    int64_t count = f->open_count;
    int64_t *from = f->open, *to = malloc(((size_t)count + 1U) * sizeof *to);
    f->full = f->full || to == NULL;
    for (int64_t width = 1; !f->full && width < count; width *= 2) {
        for (int64_t start = 0; start < count; start += 2 * width) {
            int64_t middle = start + width < count ? start + width : count;
            int64_t end = middle + width < count ? middle + width : count;
            int64_t a = start, b = middle;
            for (int64_t k = start; k < end; k++) {
                bool second = a == middle || (b < end && f->size[from[b]] < f->size[from[a]]);
                to[k] = second ? from[b++] : from[a++];
            }
        }
        int64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != f->open) { /* the arrays have changed places: keep the allocated room true */
        memcpy(to, from, (size_t)count * sizeof *to);
        free(from);
    } else {
        free(to);
    }
}

void store_order(store *f, int64_t end, int64_t *order, int32_t *done, int32_t *rest)
{
    int64_t steps = f->t->steps, length = 0, made = 0;
    for (int64_t k = end; k >= 0; k = f->origin[k]) {
        f->open[length++] = k;
    }
    for (int64_t s = 0; s < steps; s++) {
        done[s] = (int32_t)f->t->begun[s];
    }
    while (length > 0) {
        int64_t state = f->open[--length], last = f->last[state], kept = 0;
        const int32_t *to = store_counts(f, state);
        if (last == STORE_PART) {
            for (int64_t s = 0; s < steps; s++) {
                rest[s] = (int32_t)f->t->begun[s];
            }
            for (int64_t k = 0; k < made; k++) {
                if (rest[order[k]] < to[order[k]]) {
                    rest[order[k]]++;
                    order[kept++] = order[k];
                }
            }
            made = kept;
        } else {
            for (int64_t s = 0; s < steps; s++) {
                for (int32_t i = done[s] + (s == last); i < to[s]; i++) {
                    order[made++] = s;
                }
            }
            if (last >= 0) {
                order[made++] = last;
            }
        }
        memcpy(done, to, (size_t)steps * sizeof *to);
    }
}

void store_free(store *f)
{
    free(f->counts);
    free(f->live);
    free(f->size);
    free(f->origin);
    free(f->last);
    free(f->slots);
    free(f->open);
    free(f->later);
}
