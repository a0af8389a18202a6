/* SPDX-License-Identifier: Apache-2.0 */
/* Arena packing: heuristics, local search, exact search. Host code, not for firmware. */
#ifndef MCUPLAN_PACKCORE_H
#define MCUPLAN_PACKCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table in units of its grain; see table.py for the meaning of every array. What comes from
 * `sections` on is for the exact search alone. */
typedef struct {
    int64_t count;    /* buffers */
    int64_t capacity; /* units: enough for a heuristic, a limit for the search */
    int64_t rule;     /* search: how the next section is chosen, 0 to 2; wheel: see wheel.c */
    int64_t node_limit;
    const int64_t *size;
    const int64_t *align;
    const int64_t *pinned;     /* where it must lie; -1 for most */
    const int64_t *rank;       /* smaller goes first */
    const int64_t *edge_start; /* count + 1; the conflicts of buffer i in [i], [i + 1]) */
    const int64_t *edge_to;
    const int64_t *edge_above; /* least distance to the other one above */
    const int64_t *edge_below; /* least distance to the other one below */
    int64_t *offset;           /* result, units; -1 where nothing was placed */
    bool (*poll)(void *);      /* asked now and then; true stops */
    void *poll_data;
    int64_t sections;           /* maximal sets of buffers alive together, in time order */
    const int64_t *first;       /* live in sections [first, last) */
    const int64_t *last;
    const int64_t *last_offset; /* greatest offset that ends within the capacity */
    const int64_t *edge_shared; /* most units in common; 0 for ordinary conflicts */
    const int64_t *most_saved;  /* per section: most units that sharing can save */
    int64_t *weight;            /* per section: failures seen, kept between searches */
} packcore_table;

typedef enum {
    PACKCORE_LIMIT = -1,
    PACKCORE_INFEASIBLE = 0,
    PACKCORE_FOUND = 1,
    PACKCORE_STOPPED = 2,
    PACKCORE_NO_MEMORY = 3
} packcore_status;

/* Nodes between two polls. */
#define PACKCORE_POLL_NODES 2048

/* Search one placement. `nodes` and `over` (least capacity that an inference asked for
 * beyond the given one, INT64_MAX when none did) are always written. */
packcore_status packcore_search(const packcore_table *table, int64_t *nodes, int64_t *over);

/* Placements of all buffers; `top` is where the highest ends. Those that go round write how many
 * rounds there were, of `node_limit` at most, and end early where the capacity is reached. */
packcore_status packcore_first_fit(const packcore_table *table, int64_t *rounds, int64_t *top);
packcore_status packcore_best_fit(const packcore_table *table, int64_t *rounds, int64_t *top);
packcore_status packcore_climb(const packcore_table *table, int64_t *rounds, int64_t *top);
packcore_status packcore_squeaky_wheel(const packcore_table *table, int64_t *rounds, int64_t *top);
/* A placement within the capacity; without one PACKCORE_LIMIT, offsets then mean nothing. */
packcore_status packcore_eject(const packcore_table *table, int64_t *rounds, int64_t *top);

#endif
