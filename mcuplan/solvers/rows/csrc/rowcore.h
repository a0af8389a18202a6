/* SPDX-License-Identifier: Apache-2.0 */
/* The search for an order of row moves. Host code, not for firmware. */
#ifndef ROWCORE_H
#define ROWCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RowTables of state.py; lists of lists are flat, with an array of where each starts.
 * Moves have numbers: those of step s start at move_start[s]. */
typedef struct {
    int64_t steps, moves, chains, cells, width;
    int64_t start_bytes, least_extra;
    const int64_t *totals, *step_start, *grown, *move_start, *extra, *needing;
    const int64_t *chain_start, *chain_of, *target, *reader, *place, *ended, *freed_start, *freed;
    const int64_t *end_start, *end_step, *end_move, *save_start, *save_cell, *save_bytes;
    const int64_t *nbytes, *born_step, *born_move, *read_start, *read_step, *read_count;
    const int64_t *birth_start, *birth_cell, *birth_bytes;
    const int64_t *begun; /* moves of each step that are done before the search */
} rowcore_table;

typedef struct {
    int64_t limit, end, states;
    bool exact;
    bool (*stop)(void *data);
    void *data;
} rowcore_task;

typedef enum { ROWCORE_FOUND, ROWCORE_OVER, ROWCORE_STOPPED, ROWCORE_NO_MEMORY } rowcore_status;

/* Writes a step for each move that is left to `order`, if found; the limit reached goes to the task. */
rowcore_status rowcore_search(const rowcore_table *table, rowcore_task *task, int64_t *count,
                              int64_t *order);

/* A way to a state in which another cell is dead. */
typedef struct {
    int64_t live, peak, last;
    int32_t *state;
} rowcore_way;

/* Room for the ways from one state. */
typedef struct {
    rowcore_way *ways;
    int64_t count;
    int64_t *dead, *active, *after, *size;
    int32_t *states;
    bool *kills;
} rowcore_ways;

bool rowcore_ways_init(const rowcore_table *table, rowcore_ways *ways);
void rowcore_ways_free(rowcore_ways *ways);
void rowcore_ways_from(const rowcore_table *table, rowcore_ways *ways, const int32_t *state,
                       int64_t live);

void rowcore_dead(const rowcore_table *table, const int32_t *state, int64_t *dead);
int64_t rowcore_live(const rowcore_table *table, const int32_t *state, const int64_t *dead);

/* The largest state from `low` to `high` with as few live bytes as any; false: no memory. */
bool rowcore_least(const rowcore_table *table, const int32_t *low, const int32_t *high,
                   int32_t *least);

#endif
