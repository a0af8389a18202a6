/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from a partial placement.
 *
 * Every placed buffer lies at its final offset. `least` is where an unplaced one can lie at the
 * lowest, `floor` of a section the smallest `least` of its unplaced members. Only resting
 * placements are looked for: every buffer lies at 0 or directly on another one. That loses
 * nothing, since in any placement buffers can be let down until they rest. */
#include "state.h"

#include <stdlib.h>

void *packcore_grow(void *items, size_t *room, size_t needed, size_t width)
{
    void *moved = items;
    if (needed > *room) {
        size_t wanted = *room * 2U > needed ? *room * 2U : needed + 64U;
        moved = wanted > SIZE_MAX / width ? NULL : realloc(items, wanted * width);
        if (moved != NULL) {
            *room = wanted;
        }
    }
    return moved;
}

void packcore_set(search *s, int64_t *cell, int64_t value)
{
    size_t count = s->trail_count;
    change *trail = packcore_grow(s->trail, &s->trail_room, count + 1U, sizeof(change));
    if (trail == NULL) {
        s->no_memory = true;
    } else {
        s->trail = trail;
        trail[count].cell = cell;
        trail[count].old = *cell;
        s->trail_count++;
        *cell = value;
    }
}

void packcore_undo(search *s, size_t mark)
{
    while (s->trail_count > mark) {
        s->trail_count--;
        *s->trail[s->trail_count].cell = s->trail[s->trail_count].old;
    }
    while (s->dirty_count > 0U) {
        s->dirty_count--;
        s->is_dirty[s->dirty[s->dirty_count]] = 0;
    }
}

static void touch(search *s, int64_t buffer)
{
    for (int64_t k = s->table->first[buffer]; k < s->table->last[buffer]; k++) {
        if (!s->is_dirty[k]) {
            s->is_dirty[k] = 1;
            s->dirty[s->dirty_count++] = k;
        }
    }
}

bool packcore_too_high(search *s, int64_t needed)
{
    if (needed < s->over) {
        s->over = needed;
    }
    return false;
}

/* Where a buffer lies, placed or pinned; -1 while that is open. */
static int64_t position(const search *s, int64_t buffer)
{
    return s->at[buffer] >= 0 ? s->at[buffer] : s->table->pinned[buffer];
}

static int64_t aligned(const search *s, int64_t buffer, int64_t offset)
{
    int64_t align = s->table->align[buffer];
    return align == 1 ? offset : (offset + align - 1) / align * align;
}

/* Lowest offset from `offset` up that no placed or pinned partner forbids. Others placed need
 * no look: nothing is placed that one could come to lie below. */
static int64_t hop(const search *s, int64_t buffer, int64_t offset)
{
    const packcore_table *t = s->table;
    bool moved = s->ties[buffer] != 0;
    while (moved) {
        moved = false;
        for (int64_t e = t->edge_start[buffer]; e < t->edge_start[buffer + 1]; e++) {
            int64_t placed = position(s, t->edge_to[e]);
            if (placed >= 0 && offset > placed - t->edge_above[e] &&
                offset < placed + t->edge_below[e]) {
                offset = aligned(s, buffer, placed + t->edge_below[e]);
                moved = true;
            }
        }
    }
    return offset;
}

bool packcore_raise_least(search *s, int64_t buffer, int64_t offset)
{
    offset = hop(s, buffer, aligned(s, buffer, offset));
    if (offset <= s->least[buffer]) {
        return true;
    }
    if (offset > s->table->last_offset[buffer]) {
        return s->table->pinned[buffer] < 0 &&
               packcore_too_high(s, offset + s->table->size[buffer]);
    }
    packcore_set(s, &s->least[buffer], offset);
    touch(s, buffer);
    return !s->no_memory;
}

/* Whether a buffer at its least offset would rest on something or is pinned. */
bool packcore_rests(const search *s, int64_t buffer)
{
    const packcore_table *t = s->table;
    int64_t offset = s->least[buffer];
    bool found = offset == 0 || !s->raised[buffer];
    for (int64_t e = t->edge_start[buffer]; !found && e < t->edge_start[buffer + 1]; e++) {
        int64_t other = t->edge_to[e], placed = s->at[other];
        found = placed >= 0 ? aligned(s, buffer, placed + t->edge_below[e]) == offset
                            : t->edge_below[e] == 0 && s->least[other] == offset;
    }
    return found;
}

/* Least offset above `from` where a buffer could rest on another one. Unplaced members of
 * `section` count as lying at `floor` or higher. */
int64_t packcore_next_rest(const search *s, int64_t buffer, int64_t from, int64_t section,
                           int64_t floor)
{
    const packcore_table *t = s->table;
    int64_t best = NONE;
    for (int64_t e = t->edge_start[buffer]; e < t->edge_start[buffer + 1]; e++) {
        int64_t other = t->edge_to[e], base = position(s, other), level;
        if (base >= 0) {
            level = aligned(s, buffer, base + t->edge_below[e]);
            if (level <= from) {
                continue;
            }
        } else {
            base = s->least[other];
            if (base < floor && t->first[other] <= section && section < t->last[other]) {
                base = floor;
            }
            level = aligned(s, buffer, base + t->edge_below[e]);
        }
        if (level < best) {
            best = level;
        }
    }
    return best > from ? best : from + 1;
}

bool packcore_place(search *s, int64_t buffer, int64_t offset)
{
    const packcore_table *t = s->table;
    int64_t size = t->size[buffer];
    packcore_set(s, &s->at[buffer], offset);
    for (int64_t k = t->first[buffer]; k < t->last[buffer]; k++) {
        packcore_set(s, &s->rest[k], s->rest[k] - size);
        if (s->special && s->top[k] < offset + size) {
            packcore_set(s, &s->top[k], offset + size);
        }
    }
    touch(s, buffer);
    for (int64_t e = t->edge_start[buffer]; e < t->edge_start[buffer + 1]; e++) {
        int64_t other = t->edge_to[e];
        if (s->at[other] >= 0) {
            int64_t low = t->first[buffer] > t->first[other] ? t->first[buffer] : t->first[other];
            int64_t high = t->last[buffer] < t->last[other] ? t->last[buffer] : t->last[other];
            for (int64_t k = low; t->edge_shared[e] > 0 && k < high; k++) {
                packcore_set(s, &s->sharing[k], s->sharing[k] - t->edge_shared[e]);
            }
        } else if (s->least[other] > offset - t->edge_below[e] &&
                   !packcore_raise_least(s, other, offset + t->edge_above[e])) {
            return false;
        }
    }
    return true;
}

/* Units that the unplaced members of a section add at least. */
int64_t packcore_needed(const search *s, int64_t section)
{
    int64_t saved = s->sharing[section];
    if (saved > s->table->most_saved[section]) {
        saved = s->table->most_saved[section];
    }
    return s->rest[section] - saved;
}

/* Members that must lie at some height or above must fit between it and the capacity. */
static bool fits_late(search *s, int64_t section, int64_t saved)
{
    const packcore_table *t = s->table;
    int64_t count = 0, sum = -saved;
    for (int64_t e = s->member_start[section]; e < s->member_start[section + 1]; e++) {
        int64_t buffer = s->member[e];
        if (s->at[buffer] >= 0 || s->least[buffer] == s->floor[section]) {
            continue;
        }
        int64_t z = count++;
        for (; z > 0 && s->late[2 * z - 2] < s->least[buffer]; z--) {
            s->late[2 * z] = s->late[2 * z - 2];
            s->late[2 * z + 1] = s->late[2 * z - 1];
        }
        s->late[2 * z] = s->least[buffer];
        s->late[2 * z + 1] = t->size[buffer];
    }
    for (int64_t z = 0; z < count; z++) {
        sum += s->late[2 * z + 1];
        if (s->late[2 * z] + sum > t->capacity) {
            return packcore_too_high(s, s->late[2 * z] + sum);
        }
    }
    return true;
}

static bool refresh_section(search *s, int64_t section)
{
    int64_t floor = NONE, second = NONE, lowest = 0;
    /* Where buffers share, a placed one may stay the topmost. */
    int64_t highest = s->special ? s->table->capacity : 0;
    for (int64_t e = s->member_start[section]; e < s->member_start[section + 1]; e++) {
        int64_t buffer = s->member[e], least = s->least[buffer];
        if (s->at[buffer] >= 0) {
            continue;
        }
        int64_t end = s->table->last_offset[buffer] + s->table->size[buffer];
        highest = end > highest ? end : highest;
        if (least < floor) {
            second = floor;
            floor = least;
            lowest = 1;
        } else if (least == floor) {
            lowest++;
        } else if (least < second) {
            second = least;
        }
    }
    if (floor != s->floor[section]) {
        packcore_set(s, &s->floor[section], floor);
    }
    if (second != s->second[section]) {
        packcore_set(s, &s->second[section], second);
    }
    if (lowest != s->lowest[section]) {
        packcore_set(s, &s->lowest[section], lowest);
    }
    if (lowest == 0) {
        return true;
    }
    int64_t base = s->special && s->top[section] > floor ? s->top[section] : floor;
    int64_t end = base + packcore_needed(s, section);
    if (end > highest) {
        return packcore_too_high(s, end);
    }
    return fits_late(s, section, s->rest[section] - packcore_needed(s, section));
}

bool packcore_refresh(search *s)
{
    bool ok = true;
    while (s->dirty_count > 0U) {
        int64_t section = s->dirty[--s->dirty_count];
        s->is_dirty[section] = 0;
        if (ok && !refresh_section(s, section)) {
            s->table->weight[section]++;
            ok = false;
        }
    }
    return ok;
}

/* Raise buffers whose least offset came from a waste branch to where they can rest. */
bool packcore_settle(search *s, int64_t begin, int64_t end)
{
    bool changed = true;
    while (changed) {
        if (!packcore_refresh(s)) {
            return false;
        }
        changed = false;
        for (int64_t b = s->by_first_start[begin]; b < s->by_first_start[end]; b++) {
            int64_t buffer = s->by_first[b];
            if (s->at[buffer] >= 0 || packcore_rests(s, buffer)) {
                continue;
            }
            int64_t level = packcore_next_rest(s, buffer, s->least[buffer] - 1, -1, 0);
            if (level > s->least[buffer]) {
                if (!packcore_raise_least(s, buffer, level)) {
                    return false;
                }
                changed = true;
            }
        }
    }
    return true;
}
