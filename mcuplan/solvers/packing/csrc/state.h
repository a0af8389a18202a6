/* SPDX-License-Identifier: Apache-2.0 */
/* A partial placement of one search. `raised` buffers owe their `least` to a branch that left
 * room empty rather than to a buffer below; they move up to where they can rest. */
#ifndef MCUPLAN_PACKCORE_STATE_H
#define MCUPLAN_PACKCORE_STATE_H

#include "packcore.h"

#define NONE (INT64_MAX / 4)

typedef struct {
    int64_t *cell;
    int64_t old;
} change;

typedef struct {
    int64_t begin, end;          /* sections of this component */
    int64_t section;             /* where it branches */
    int64_t wasted_to;           /* floor of the section when its lowest units stay empty */
    bool waste;                  /* that branch is still to be tried */
    size_t mark;                 /* length of the trail before the branches */
    size_t options, options_end; /* in `options` */
    size_t next;                 /* option to try next */
    size_t parts, parts_end;     /* in `parts`: components left by the current branch */
    size_t current;              /* part being solved */
} frame;

typedef struct {
    int64_t first, end;
} part;

typedef struct {
    const packcore_table *table;
    int64_t *block;
    int64_t *at, *least, *raised;            /* per buffer */
    int64_t *rest, *floor, *second, *lowest; /* per section */
    int64_t *top, *sharing;                  /* per section, used with separations */
    int64_t *member_start, *member;          /* buffers of a section */
    int64_t *by_first_start, *by_first;      /* buffers that start in a section */
    int64_t *ties;                           /* 1: may share the offset of another one */
    int64_t *plain;                          /* 1: any offset will do, shares with nobody */
    int64_t *late;
    int64_t *dirty, *is_dirty;
    size_t dirty_count;
    bool special;
    change *trail;
    size_t trail_count, trail_room;
    frame *frames;
    size_t depth, frames_room;
    int64_t *options;
    size_t options_count, options_room;
    part *parts;
    size_t parts_count, parts_room;
    int64_t over;
    bool no_memory;
} search;

/* Room for `needed` items; NULL without memory, then `items` is untouched. */
void *packcore_grow(void *items, size_t *room, size_t needed, size_t width);
void packcore_set(search *s, int64_t *cell, int64_t value);
void packcore_undo(search *s, size_t mark);
/* Note a capacity that would have been enough here; always false. */
bool packcore_too_high(search *s, int64_t needed);
bool packcore_raise_least(search *s, int64_t buffer, int64_t offset);
bool packcore_rests(const search *s, int64_t buffer);
int64_t packcore_next_rest(const search *s, int64_t buffer, int64_t from, int64_t section,
                           int64_t floor);
bool packcore_place(search *s, int64_t buffer, int64_t offset);
int64_t packcore_needed(const search *s, int64_t section);
bool packcore_refresh(search *s);
bool packcore_settle(search *s, int64_t begin, int64_t end);

/* List what is left between the sections of a frame as components, shortest first. */
void packcore_split(search *s, frame *f);
/* Depth-first search from frames[0], whose parts are given. */
packcore_status packcore_walk(search *s, int64_t *nodes);

#endif
