/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a state, and the nearest states in which another cell is dead. */
#include "rowcore.h"

#include <stdlib.h>
#include <string.h>

void rowcore_dead(const rowcore_table *t, const int32_t *state, int64_t *dead)
{
    for (int64_t c = 0; c < t->chains; c++) {
        int64_t least = INT64_MAX;
        for (int64_t k = c * t->width; k < (c + 1) * t->width; k++) {
            int64_t over = t->ended[t->place[k] + state[t->reader[k]]];
            least = over < least ? over : least;
        }
        dead[c] = least;
    }
}

static int64_t grown(const rowcore_table *t, const int32_t *state)
{
    int64_t sum = 0;
    for (int64_t s = 0; s < t->steps; s++) {
        sum += t->grown[t->step_start[s] + state[s]];
    }
    return sum;
}

int64_t rowcore_live(const rowcore_table *t, const int32_t *state, const int64_t *dead)
{
    int64_t sum = t->start_bytes + grown(t, state);
    for (int64_t c = 0; c < t->chains; c++) {
        sum -= t->freed[t->freed_start[c] + dead[c]];
    }
    return sum;
}

bool rowcore_ways_init(const rowcore_table *t, rowcore_ways *w)
{
    size_t chains = (size_t)t->chains + 1U, steps = (size_t)t->steps;
    w->count = 0;
    w->ways = malloc(chains * sizeof *w->ways);
    w->dead = malloc(chains * sizeof *w->dead);
    w->active = malloc(chains * sizeof *w->active);
    w->after = malloc(chains * chains * sizeof *w->after);
    w->size = malloc(chains * sizeof *w->size);
    w->states = malloc(chains * steps * sizeof *w->states);
    w->kills = malloc(chains * chains * sizeof *w->kills);
    return w->ways && w->dead && w->active && w->after && w->size && w->states && w->kills;
}

void rowcore_ways_free(rowcore_ways *w)
{
    free(w->ways);
    free(w->dead);
    free(w->active);
    free(w->after);
    free(w->size);
    free(w->states);
    free(w->kills);
}

static bool all_done(const rowcore_table *t, const int32_t *state)
{
    bool same = true;
    for (int64_t s = 0; same && s < t->steps; s++) {
        same = state[s] == t->totals[s];
    }
    return same;
}

static void rest(const rowcore_table *t, rowcore_ways *w, const int32_t *state, int64_t live)
{
    if (!all_done(t, state)) {
        for (int64_t s = 0; s < t->steps; s++) {
            w->states[s] = (int32_t)t->totals[s];
        }
        int64_t full = live + grown(t, w->states) - grown(t, state);
        w->ways[w->count++] = (rowcore_way){full, full + t->least_extra, -1, w->states};
    }
}

/* Peak of a way by its last move; `full` is live if nothing died. */
static int64_t peak_of(const rowcore_table *t, const int64_t *after, int64_t step, int64_t number,
                       int64_t full, bool several)
{
    int64_t move = t->move_start[step] + number;
    int64_t saved = 0;
    for (int64_t k = t->save_start[move]; k < t->save_start[move + 1]; k++) {
        int64_t cell = t->save_cell[k], chain = t->chain_of[cell];
        saved += cell - t->chain_start[chain] < after[chain] ? t->save_bytes[k] : 0;
    }
    int64_t peak = full + t->extra[move] - saved;
    if (several) {
        const int64_t *made = &t->grown[t->step_start[step] + number];
        int64_t before = full - (made[1] - made[0]) + t->least_extra;
        peak = before > peak ? before : peak;
    }
    return peak;
}

/* Whether all that dies on the way to `k` but before it needs the given move. */
static bool dies_last(const rowcore_table *t, const rowcore_ways *w, int64_t count, int64_t k,
                      int64_t step, int64_t number)
{
    bool ok = true;
    for (int64_t j = 0; ok && j < count; j++) {
        if (w->kills[k * count + j] && w->size[j] < w->size[k]) {
            ok = w->states[j * t->steps + step] > number;
        }
    }
    return ok;
}

/* 0: alone; 1: another dies before; 2: the same way has come up before. */
static int standing(const rowcore_ways *w, int64_t count, int64_t k)
{
    int found = 0;
    for (int64_t j = 0; found < 2 && j < count; j++) {
        if (w->kills[k * count + j] && w->size[j] <= w->size[k]) {
            found = w->size[j] < w->size[k] ? 1 : j < k ? 2 : found;
        }
    }
    return found;
}

static void add_way(const rowcore_table *t, rowcore_ways *w, int64_t count, int64_t k, int64_t cell,
                    const int32_t *state, int64_t live, int64_t done, bool mixed)
{
    int32_t *to = &w->states[k * t->steps];
    const int64_t *after = &w->after[k * t->chains];
    int64_t full = live + grown(t, to) - grown(t, state);
    int64_t peak = INT64_MAX, last = -1;
    for (int64_t e = t->end_start[cell]; e < t->end_start[cell + 1]; e++) {
        int64_t step = t->end_step[e], number = t->end_move[e];
        if (state[step] > number || (mixed && !dies_last(t, w, count, k, step, number))) {
            continue;
        }
        int64_t own = peak_of(t, after, step, number, full, w->size[k] > done + 1);
        if (own < peak || (own == peak && step < last)) {
            peak = own;
            last = step;
        }
    }
    if (last >= 0) {
        w->ways[w->count++] = (rowcore_way){rowcore_live(t, to, after), peak, last, to};
    }
}

void rowcore_ways_from(const rowcore_table *t, rowcore_ways *w, const int32_t *state, int64_t live)
{
    int64_t count = 0, done = 0;
    w->count = 0;
    rowcore_dead(t, state, w->dead);
    for (int64_t s = 0; s < t->steps; s++) {
        done += state[s];
    }
    for (int64_t c = 0; c < t->chains; c++) {
        if (t->chain_start[c] + w->dead[c] < t->chain_start[c + 1]) {
            const int64_t *target = &t->target[(t->chain_start[c] + w->dead[c]) * t->steps];
            int32_t *to = &w->states[count * t->steps];
            w->size[count] = 0;
            for (int64_t s = 0; s < t->steps; s++) {
                to[s] = target[s] > state[s] ? (int32_t)target[s] : state[s];
                w->size[count] += to[s];
            }
            rowcore_dead(t, to, &w->after[count * t->chains]);
            w->active[count++] = c;
        }
    }
    for (int64_t k = 0; k < count; k++) {
        for (int64_t j = 0; j < count; j++) {
            int64_t c = w->active[j];
            w->kills[k * count + j] = w->after[k * t->chains + c] > w->dead[c];
        }
    }
    for (int64_t k = 0; k < count; k++) {
        int64_t c = w->active[k], cell = t->chain_start[c] + w->dead[c];
        int mixed = standing(w, count, k);
        if (mixed == 0 || (mixed == 1 && t->end_start[cell + 1] - t->end_start[cell] > 1)) {
            add_way(t, w, count, k, cell, state, live, done, mixed == 1);
        }
    }
    if (count == 0) {
        rest(t, w, state, live);
    }
}
