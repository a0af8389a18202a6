/* SPDX-License-Identifier: Apache-2.0 */
/* The state with the fewest bytes between two states: a flow.
 *
 * Going back from the later state undoes moves, and all that need them. That frees what these
 * moves allocated and brings back cells that they had ended. It does not pay if the bytes
 * allocated can be shared out to cells that ended since, each to one ended by a move that needs
 * the move that allocated. Cells that were born and ended in between take their own. What finds
 * no room is worth undoing. */
#include "rowcore.h"

#include <stdlib.h>
#include <string.h>

/* What a cell took from a move. */
typedef struct {
    int64_t move, amount, next;
} share;

/* A cell that ended in between, in the list of a move that reads it last. */
typedef struct {
    int64_t ended, next;
} reading;

typedef struct {
    const rowcore_table *t;
    const int32_t *low, *high;
    int64_t *room, *first_share; /* of each ended cell */
    share *shares;
    reading *readings;
    int64_t *first_reading, *came_from, *came_through, *seen, *queue; /* of each move */
    int64_t *dead_low, *dead_high, *reach;
    int64_t ended, share_count, share_room, reading_count, round;
} between;

static void release(between *b)
{
    free(b->room);
    free(b->first_share);
    free(b->shares);
    free(b->readings);
    free(b->first_reading);
    free(b->came_from);
    free(b->came_through);
    free(b->seen);
    free(b->queue);
    free(b->dead_low);
    free(b->dead_high);
    free(b->reach);
}

static bool prepare(between *b)
{
    const rowcore_table *t = b->t;
    size_t cells = (size_t)t->cells + 1U, moves = (size_t)t->moves + 1U;
    size_t readings = (size_t)t->read_start[t->cells] + 1U, one = sizeof(int64_t);
    b->share_room = 2 * t->cells + 64;
    b->room = malloc(cells * one);
    b->first_share = malloc(cells * one);
    b->shares = malloc((size_t)b->share_room * sizeof *b->shares);
    b->readings = malloc(readings * sizeof *b->readings);
    b->first_reading = malloc(moves * one);
    b->came_from = malloc(moves * one);
    b->came_through = malloc(moves * one);
    b->seen = calloc(moves, one);
    b->queue = malloc(moves * one);
    b->dead_low = malloc(((size_t)t->chains + 1U) * one);
    b->dead_high = malloc(((size_t)t->chains + 1U) * one);
    b->reach = malloc((size_t)t->steps * one);
    return b->room && b->first_share && b->shares && b->readings && b->first_reading &&
           b->came_from && b->came_through && b->seen && b->queue && b->dead_low && b->dead_high &&
           b->reach;
}

static bool give(between *b, int64_t ended, int64_t move, int64_t amount)
{
    int64_t k = b->first_share[ended];
    while (k >= 0 && b->shares[k].move != move) {
        k = b->shares[k].next;
    }
    if (k < 0) {
        if (b->share_count == b->share_room) {
            share *more = realloc(b->shares, 2U * (size_t)b->share_room * sizeof *more);
            if (more == NULL) {
                return false;
            }
            b->shares = more;
            b->share_room *= 2;
        }
        k = b->share_count++;
        b->shares[k] = (share){move, 0, b->first_share[ended]};
        b->first_share[ended] = k;
    }
    b->shares[k].amount += amount;
    return true;
}

static bool end_cell(between *b, int64_t cell)
{
    const rowcore_table *t = b->t;
    int64_t e = b->ended++, step = t->born_step[cell];
    bool inside = step >= 0 && t->born_move[cell] >= b->low[step];
    b->first_share[e] = -1;
    b->room[e] = inside ? 0 : t->nbytes[cell];
    for (int64_t k = t->read_start[cell]; k < t->read_start[cell + 1]; k++) {
        if (t->read_count[k] > b->low[t->read_step[k]]) {
            int64_t move = t->move_start[t->read_step[k]] + t->read_count[k] - 1;
            b->readings[b->reading_count] = (reading){e, b->first_reading[move]};
            b->first_reading[move] = b->reading_count++;
        }
    }
    return !inside || give(b, e, t->move_start[step] + t->born_move[cell], t->nbytes[cell]);
}

static bool end_cells(between *b)
{
    const rowcore_table *t = b->t;
    bool ok = true;
    for (int64_t m = 0; m < t->moves; m++) {
        b->first_reading[m] = -1;
    }
    rowcore_dead(t, b->low, b->dead_low);
    rowcore_dead(t, b->high, b->dead_high);
    for (int64_t c = 0; c < t->chains; c++) {
        int64_t start = t->chain_start[c];
        for (int64_t k = start + b->dead_low[c]; ok && k < start + b->dead_high[c]; k++) {
            ok = t->nbytes[k] == 0 || end_cell(b, k);
        }
    }
    return ok;
}

/* The ended cell with room that can be reached from a move, -1 for none, and its mover. */
static int64_t find_room(between *b, int64_t move, int64_t *mover)
{
    const rowcore_table *t = b->t;
    int64_t head = 0, tail = 0;
    b->round++;
    for (int64_t s = 0; s < t->steps; s++) {
        b->reach[s] = b->high[s];
    }
    b->queue[tail++] = move;
    b->seen[move] = b->round;
    while (head < tail) {
        *mover = b->queue[head++];
        const int64_t *needing = &t->needing[*mover * t->steps];
        for (int64_t s = 0; s < t->steps; s++) {
            for (int64_t i = needing[s]; i < b->reach[s]; i++) {
                int64_t k = b->first_reading[t->move_start[s] + i];
                for (; k >= 0; k = b->readings[k].next) {
                    int64_t e = b->readings[k].ended;
                    if (b->room[e] > 0) {
                        return e;
                    }
                    for (int64_t g = b->first_share[e]; g >= 0; g = b->shares[g].next) {
                        int64_t owner = b->shares[g].move;
                        if (b->shares[g].amount > 0 && b->seen[owner] != b->round) {
                            b->seen[owner] = b->round;
                            b->came_from[owner] = *mover;
                            b->came_through[owner] = e;
                            b->queue[tail++] = owner;
                        }
                    }
                }
            }
            b->reach[s] = needing[s] < b->reach[s] ? needing[s] : b->reach[s];
        }
    }
    return -1;
}

static int64_t taken(const between *b, int64_t ended, int64_t move)
{
    int64_t k = b->first_share[ended];
    while (k >= 0 && b->shares[k].move != move) {
        k = b->shares[k].next;
    }
    return k < 0 ? 0 : b->shares[k].amount;
}

/* Finds room for what a move allocated; what has none lowers `least` to what was reached. */
static bool share_out(between *b, int64_t move, int64_t nbytes, int32_t *least)
{
    bool ok = true;
    while (ok && nbytes > 0) {
        int64_t mover, last = find_room(b, move, &mover), amount = nbytes;
        if (last < 0) {
            for (int64_t s = 0; s < b->t->steps; s++) {
                least[s] = b->reach[s] < least[s] ? (int32_t)b->reach[s] : least[s];
            }
            return true;
        }
        amount = b->room[last] < amount ? b->room[last] : amount;
        for (int64_t m = mover; m != move; m = b->came_from[m]) {
            int64_t most = taken(b, b->came_through[m], m);
            amount = most < amount ? most : amount;
        }
        b->room[last] -= amount;
        ok = give(b, last, mover, amount);
        for (int64_t m = mover; ok && m != move; m = b->came_from[m]) {
            ok = give(b, b->came_through[m], m, -amount) &&
                 give(b, b->came_through[m], b->came_from[m], amount);
        }
        nbytes -= amount;
    }
    return ok;
}

bool rowcore_least(const rowcore_table *t, const int32_t *low, const int32_t *high, int32_t *least)
{
    between b = {.t = t, .low = low, .high = high};
    bool ok = prepare(&b) && end_cells(&b);
    if (ok) {
        memcpy(least, high, (size_t)t->steps * sizeof *least);
    }
    for (int64_t s = 0; ok && s < t->steps; s++) {
        for (int64_t i = low[s]; ok && i < high[s]; i++) {
            int64_t nbytes = 0, move = t->move_start[s] + i;
            for (int64_t k = t->birth_start[move]; k < t->birth_start[move + 1]; k++) {
                int64_t cell = t->birth_cell[k], chain = cell < 0 ? 0 : t->chain_of[cell];
                bool left = cell < 0 || cell - t->chain_start[chain] >= b.dead_high[chain];
                nbytes += left ? t->birth_bytes[k] : 0;
            }
            ok = nbytes == 0 || share_out(&b, move, nbytes, least);
        }
    }
    release(&b);
    return ok;
}
