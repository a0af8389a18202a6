/* SPDX-License-Identifier: Apache-2.0 */
/* Where the search keeps its states: numbered, in lists, in a heap. */
#ifndef ROWCORE_STORE_H
#define ROWCORE_STORE_H

#include "rowcore.h"

/* As the last step of a way: the way is part of that to another state. */
enum { STORE_PART = -2 };

typedef struct {
    int64_t peak, tick, state, origin, last;
} deferred;

/* States have numbers; one is entered when a way to it is known. */
typedef struct {
    const rowcore_table *t;
    int32_t *counts;
    int64_t *live, *size, *origin, *last; /* of each state; origin -2: not entered */
    int64_t state_count, state_room;
    int64_t *slots, slot_count;
    int64_t *open, open_count, open_room;
    deferred *later;
    int64_t later_count, later_room, ticks;
    bool full; /* no memory */
} store;

void *store_grow(void *old, int64_t *room, int64_t needed, size_t item, bool *full);
const int32_t *store_counts(const store *f, int64_t state);

/* The number of a state; -1: no memory. */
int64_t store_number(store *f, const int32_t *counts, int64_t live);

/* Whether there was no way to the state before. */
bool store_enter(store *f, int64_t state, int64_t origin, int64_t last);

void store_open(store *f, int64_t state);
void store_sort(store *f);
void store_later(store *f, deferred item);
deferred store_sooner(store *f);
/* Writes a step for each move on the way to a state; `done` and `rest` have room for one. */
void store_order(store *f, int64_t end, int64_t *order, int32_t *done, int32_t *rest);
void store_free(store *f);

#endif
