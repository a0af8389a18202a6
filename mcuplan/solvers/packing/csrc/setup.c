/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a search, and its first state. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

/* Cut the next `count` cells off a block. */
static int64_t *cut(int64_t **block, size_t count)
{
    int64_t *cells = *block;
    *block += count;
    return cells;
}

static bool allocate(search *s)
{
    const packcore_table *t = s->table;
    size_t buffers = (size_t)t->count, sections = (size_t)t->sections, members = 0U;
    for (size_t i = 0U; i < buffers; i++) {
        members += (size_t)(t->last[i] - t->first[i]);
    }
    size_t total = 8U * buffers + 10U * sections + 2U + members;
    int64_t *block = calloc(total + 1U, sizeof(int64_t));
    s->block = block;
    s->frames = packcore_grow(NULL, &s->frames_room, 64U, sizeof(frame));
    s->parts = packcore_grow(NULL, &s->parts_room, 64U, sizeof(part));
    if (block == NULL || s->frames == NULL || s->parts == NULL) {
        return false;
    }
    s->at = t->offset;
    s->least = cut(&block, buffers);
    s->raised = cut(&block, buffers);
    s->by_first = cut(&block, buffers);
    s->ties = cut(&block, buffers);
    s->plain = cut(&block, buffers);
    s->late = cut(&block, 2U * buffers);
    s->rest = cut(&block, sections);
    s->floor = cut(&block, sections);
    s->second = cut(&block, sections);
    s->lowest = cut(&block, sections);
    s->top = cut(&block, sections);
    s->sharing = cut(&block, sections);
    s->dirty = cut(&block, sections);
    s->is_dirty = cut(&block, sections);
    s->member_start = cut(&block, sections + 1U);
    s->by_first_start = cut(&block, sections + 1U);
    s->member = cut(&block, members);
    return true;
}

static void list_members(search *s)
{
    const packcore_table *t = s->table;
    for (int64_t i = 0; i < t->count; i++) {
        s->by_first_start[t->first[i] + 1]++;
        for (int64_t k = t->first[i]; k < t->last[i]; k++) {
            s->member_start[k + 1]++;
            s->rest[k] += t->size[i];
        }
    }
    for (int64_t k = 0; k < t->sections; k++) {
        s->member_start[k + 1] += s->member_start[k];
        s->by_first_start[k + 1] += s->by_first_start[k];
    }
    /* `floor` and `second` count what is filled in; they get their values later. */
    for (int64_t i = 0; i < t->count; i++) {
        int64_t first = t->first[i];
        s->by_first[s->by_first_start[first] + s->second[first]++] = i;
        for (int64_t k = first; k < t->last[i]; k++) {
            s->member[s->member_start[k] + s->floor[k]++] = i;
        }
    }
    for (int64_t k = 0; k < t->sections; k++) {
        s->floor[k] = 0;
        s->second[k] = 0;
    }
}

static void classify(search *s)
{
    const packcore_table *t = s->table;
    for (int64_t i = 0; i < t->count; i++) {
        s->at[i] = -1;
        s->least[i] = t->pinned[i] > 0 ? t->pinned[i] : 0;
        s->plain[i] = t->align[i] == 1 && t->pinned[i] < 0;
        for (int64_t e = t->edge_start[i]; e < t->edge_start[i + 1]; e++) {
            int64_t other = t->edge_to[e];
            int64_t low = t->first[i] > t->first[other] ? t->first[i] : t->first[other];
            int64_t high = t->last[i] < t->last[other] ? t->last[i] : t->last[other];
            if (t->edge_above[e] != t->size[i] || t->edge_below[e] != t->size[other]) {
                s->plain[i] = 0;
            }
            if (t->edge_above[e] == 0 || t->edge_below[e] == 0 || t->pinned[other] >= 0) {
                s->ties[i] = 1;
            }
            for (int64_t k = low; t->edge_shared[e] > 0 && i < other && k < high; k++) {
                s->sharing[k] += t->edge_shared[e];
                s->special = true;
            }
        }
    }
}

/* Take note of what is pinned; false when there is no placement. */
static bool begin(search *s)
{
    const packcore_table *t = s->table;
    bool fits = true;
    for (int64_t k = 0; k < t->sections; k++) {
        s->is_dirty[k] = 1;
        s->dirty[s->dirty_count++] = k;
    }
    for (int64_t i = 0; i < t->count; i++) {
        fits = packcore_raise_least(s, i, 0) && fits;
    }
    fits = fits && packcore_refresh(s);
    for (int64_t i = 0; i < t->count; i++) {
        if (t->last_offset[i] < 0) {
            fits = packcore_too_high(s, t->size[i]);
        }
    }
    return fits;
}

packcore_status packcore_search(const packcore_table *table, int64_t *nodes, int64_t *over)
{
    search s;
    packcore_status status = PACKCORE_NO_MEMORY;
    memset(&s, 0, sizeof(s));
    s.table = table;
    s.over = INT64_MAX;
    *nodes = 0;
    if (allocate(&s)) {
        list_members(&s);
        classify(&s);
        bool fits = begin(&s);
        memset(&s.frames[0], 0, sizeof(frame));
        s.frames[0].end = table->sections;
        packcore_split(&s, &s.frames[0]);
        status = fits ? packcore_walk(&s, nodes) : PACKCORE_INFEASIBLE;
    }
    *over = s.over;
    free(s.block);
    free(s.trail);
    free(s.frames);
    free(s.options);
    free(s.parts);
    return status;
}
