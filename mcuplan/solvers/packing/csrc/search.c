/* SPDX-License-Identifier: Apache-2.0 */
/* Exact search for a placement within a capacity; an answer of "no" is a proof.
 *
 * Branching: take a section and look at its floor, the lowest offset where an unplaced member
 * could lie. Either one of the members that can rest there does, or those units stay empty and
 * the floor rises to the next offset where a member could rest. That is complete for every
 * section in which nothing can come to lie below an option later, and the section with the
 * lowest floor is always one. Which section is taken is free: rule 0 takes the fewest branches in
 * proportion to the failures seen there, rule 1 the fewest branches, rule 2 a forced section
 * first and then the lowest one.
 *
 * Sections without unplaced members cut what is left into components, which are solved one by
 * one: when one has no solution, none of the others is tried again. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

/* Members that could lie at the floor of the section now; -1 when a buffer that is yet to
 * be placed could still come to lie below one of them. A pinned one leaves no choice. */
static int64_t count_options(const search *s, int64_t section)
{
    const packcore_table *t = s->table;
    int64_t floor = s->floor[section], count = 0;
    bool pinned = false;
    for (int64_t e = s->member_start[section]; e < s->member_start[section + 1]; e++) {
        int64_t buffer = s->member[e];
        if (s->at[buffer] >= 0 || s->least[buffer] != floor) {
            continue;
        }
        for (int64_t k = t->first[buffer]; k < t->last[buffer]; k++) {
            if (s->floor[k] < floor) {
                return -1;
            }
        }
        count += packcore_rests(s, buffer) ? 1 : 0;
        pinned = pinned || t->pinned[buffer] >= 0;
    }
    return pinned ? 1 : count;
}

/* Next possible floor of a section when nothing lies at its present one. */
static int64_t waste_floor(const search *s, int64_t section)
{
    int64_t floor = s->floor[section], best = s->second[section];
    for (int64_t e = s->member_start[section]; e < s->member_start[section + 1]; e++) {
        int64_t buffer = s->member[e];
        if (s->at[buffer] >= 0 || s->least[buffer] != floor) {
            continue;
        }
        if (s->table->pinned[buffer] >= 0) {
            return NONE;
        }
        if (best > floor + 1) {
            int64_t level = packcore_next_rest(s, buffer, floor, section, NONE);
            best = level < best ? level : best;
        }
    }
    return best;
}

typedef struct {
    int64_t section, count, floor, weight;
} choice;

static bool better(const search *s, int64_t count, int64_t section, const choice *best)
{
    int64_t floor = s->floor[section], weight = s->table->weight[section];
    bool fewer = count * best->weight < best->count * weight;
    bool result;
    if (best->section < 0) {
        result = true;
    } else if (s->table->rule == 0) {
        result = fewer;
    } else if (s->table->rule == 1) {
        result = count < best->count || (count == best->count && floor < best->floor);
    } else if ((count <= 1) != (best->count <= 1)) {
        result = count <= 1;
    } else {
        result = count > 1 && (floor != best->floor ? floor < best->floor : fewer);
    }
    return result;
}

/* Choose the section to branch on; false when one has no option at all. */
static bool choose(search *s, frame *f)
{
    choice best = {-1, 0, 0, 1};
    for (int64_t k = f->begin; k < f->end; k++) {
        if (s->lowest[k] == 0 || !better(s, s->lowest[k], k, &best)) {
            continue;
        }
        int64_t count = count_options(s, k), wasted_to = NONE;
        if (count < 0) {
            continue;
        }
        bool waste = false;
        if (better(s, count, k, &best)) {
            wasted_to = waste_floor(s, k);
            waste = wasted_to + packcore_needed(s, k) <= s->table->capacity;
            if (!waste && wasted_to < NONE) {
                (void)packcore_too_high(s, wasted_to + packcore_needed(s, k));
            }
        }
        count += waste ? 1 : 0;
        if (better(s, count, k, &best)) {
            best.section = k;
            best.count = count;
            best.floor = s->floor[k];
            best.weight = s->table->weight[k];
            f->section = k;
            f->waste = waste;
            f->wasted_to = wasted_to;
            if (count == 0) {
                break;
            }
        }
    }
    if (best.count == 0 && best.section >= 0) {
        s->table->weight[best.section]++;
    }
    return best.count > 0;
}

/* Whether an option need not be tried: a twin is tried already, or it would lie directly on a
 * smaller buffer of the same lifetime, and the two could change places. */
static bool redundant(const search *s, const frame *f, int64_t buffer)
{
    const packcore_table *t = s->table;
    bool found = false;
    for (size_t i = f->options; s->plain[buffer] && !found && i < s->options_count; i++) {
        int64_t twin = s->options[i];
        found = s->plain[twin] && t->first[twin] == t->first[buffer] &&
                t->last[twin] == t->last[buffer] && t->size[twin] == t->size[buffer] &&
                t->last_offset[twin] == t->last_offset[buffer] &&
                s->raised[twin] == s->raised[buffer];
    }
    int64_t end = s->plain[buffer] ? t->edge_start[buffer + 1] : t->edge_start[buffer];
    for (int64_t e = t->edge_start[buffer]; !found && e < end; e++) {
        int64_t low = t->edge_to[e];
        found = s->at[low] >= 0 && s->at[low] + t->size[low] == s->least[buffer] &&
                t->first[low] == t->first[buffer] && t->last[low] == t->last[buffer] &&
                t->size[low] < t->size[buffer] && s->plain[low] &&
                t->last_offset[low] + t->size[low] >= t->last_offset[buffer] + t->size[buffer];
    }
    return found;
}

static void collect_options(search *s, frame *f)
{
    bool pinned = false;
    for (int64_t e = s->member_start[f->section]; e < s->member_start[f->section + 1]; e++) {
        int64_t buffer = s->member[e];
        bool at_floor = s->at[buffer] < 0 && s->least[buffer] == s->floor[f->section];
        if (at_floor && s->table->pinned[buffer] >= 0) {
            pinned = true;
            s->options_count = f->options;
        } else if (!at_floor || !packcore_rests(s, buffer) || redundant(s, f, buffer)) {
            continue;
        }
        size_t count = s->options_count;
        int64_t *options = packcore_grow(s->options, &s->options_room, count + 1U, sizeof(int64_t));
        if (options == NULL) {
            s->no_memory = true;
            return;
        }
        s->options = options;
        for (; count > f->options; count--) {
            if (s->table->rank[options[count - 1U]] <= s->table->rank[buffer]) {
                break;
            }
            options[count] = options[count - 1U];
        }
        options[count] = buffer;
        s->options_count++;
        if (pinned) {
            return;
        }
    }
}

/* Enter a component: propagate, choose a section, list its options. */
static bool enter(search *s, frame *f)
{
    bool ok = packcore_settle(s, f->begin, f->end) && choose(s, f);
    if (ok) {
        collect_options(s, f);
        f->options_end = s->options_count;
        f->next = f->options;
        f->mark = s->trail_count;
    }
    return ok;
}

void packcore_split(search *s, frame *f)
{
    const packcore_table *t = s->table;
    int64_t begin = -1, reach = -1;
    for (int64_t b = s->by_first_start[f->begin]; b <= s->by_first_start[f->end]; b++) {
        bool ends = b == s->by_first_start[f->end];
        int64_t buffer = ends ? -1 : s->by_first[b];
        if (!ends && s->at[buffer] >= 0) {
            continue;
        }
        if (begin >= 0 && (ends || t->first[buffer] >= reach)) {
            size_t at = s->parts_count;
            part *parts = packcore_grow(s->parts, &s->parts_room, at + 1U, sizeof(part));
            if (parts == NULL) {
                s->no_memory = true;
                return;
            }
            s->parts = parts;
            for (; at > f->parts; at--) {
                if (parts[at - 1U].end - parts[at - 1U].first <= reach - begin) {
                    break;
                }
                parts[at] = parts[at - 1U];
            }
            parts[at].first = begin;
            parts[at].end = reach;
            s->parts_count++;
            begin = -1;
        }
        if (!ends) {
            begin = begin < 0 ? t->first[buffer] : begin;
            reach = reach > t->last[buffer] ? reach : t->last[buffer];
        }
    }
    f->parts_end = s->parts_count;
    f->current = f->parts;
}

/* The branch where nothing lies at the floor of the section. */
static bool leave_empty(search *s, frame *f)
{
    int64_t section = f->section, floor = s->floor[section];
    for (int64_t e = s->member_start[section]; e < s->member_start[section + 1]; e++) {
        int64_t buffer = s->member[e];
        if (s->at[buffer] >= 0 || s->least[buffer] > floor) {
            continue;
        }
        int64_t level = packcore_next_rest(s, buffer, floor, section, f->wasted_to);
        if (!packcore_raise_least(s, buffer, level > f->wasted_to ? level : f->wasted_to)) {
            return false;
        }
        packcore_set(s, &s->raised[buffer], 1);
    }
    return true;
}

/* Take back the last branch of a frame and make the next one that is not refuted at once. */
static bool next_branch(search *s, frame *f)
{
    bool made = false, left = true;
    while (!made && left && !s->no_memory) {
        packcore_undo(s, f->mark);
        s->parts_count = f->parts;
        if (f->next < f->options_end) {
            int64_t buffer = s->options[f->next++];
            made = packcore_place(s, buffer, s->least[buffer]);
        } else if (f->waste) {
            f->waste = false;
            made = leave_empty(s, f);
        } else {
            s->table->weight[f->section]++;
            left = false;
        }
    }
    if (made) {
        packcore_split(s, f);
    }
    return made;
}

/* Back to the deepest frame that has another branch; false when there is none. */
static bool backtrack(search *s)
{
    bool found = false;
    while (!found && s->depth > 0U && !s->no_memory) {
        frame *f = &s->frames[s->depth];
        found = next_branch(s, f);
        if (!found) {
            s->options_count = f->options;
            s->depth--;
        }
    }
    return found;
}

static frame *push(search *s)
{
    frame *frames = packcore_grow(s->frames, &s->frames_room, s->depth + 2U, sizeof(frame));
    if (frames == NULL) {
        s->no_memory = true;
        return NULL;
    }
    s->frames = frames;
    frame *f = &frames[s->depth + 1U];
    memset(f, 0, sizeof(*f));
    f->begin = s->parts[frames[s->depth].current].first;
    f->end = s->parts[frames[s->depth].current].end;
    f->options = s->options_count;
    f->parts = s->parts_count;
    return f;
}

packcore_status packcore_walk(search *s, int64_t *nodes)
{
    const packcore_table *t = s->table;
    for (;;) {
        frame *f = &s->frames[s->depth];
        if (f->current == f->parts_end) {
            if (s->depth == 0U) {
                return PACKCORE_FOUND;
            }
            s->options_count = f->options;
            s->parts_count = f->parts;
            s->depth--;
            s->frames[s->depth].current++;
            continue;
        }
        if (*nodes >= t->node_limit) {
            return PACKCORE_LIMIT;
        }
        ++*nodes;
        if (*nodes % PACKCORE_POLL_NODES == 0 && t->poll(t->poll_data)) {
            return PACKCORE_STOPPED;
        }
        frame *deeper = push(s);
        if (deeper != NULL && enter(s, deeper) && next_branch(s, deeper)) {
            s->depth++;
        } else {
            s->options_count = deeper == NULL ? 0U : deeper->options;
            if (!s->no_memory && !backtrack(s)) {
                return s->no_memory ? PACKCORE_NO_MEMORY : PACKCORE_INFEASIBLE;
            }
        }
        if (s->no_memory) {
            return PACKCORE_NO_MEMORY;
        }
    }
}
