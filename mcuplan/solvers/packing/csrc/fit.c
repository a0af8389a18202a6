/* SPDX-License-Identifier: Apache-2.0 */
/* First fit: the buffers in some order, each at the lowest offset that is free. */
#include "fit.h"

#include <stdlib.h>
#include <string.h>

fit *fit_new(const packcore_table *table)
{
    fit *f = malloc(sizeof *f);
    if (f == NULL) {
        return NULL;
    }
    f->t = table;
    f->plain = true;
    for (int64_t i = 0; f->plain && i < table->count; i++) {
        for (int64_t e = table->edge_start[i]; f->plain && e < table->edge_start[i + 1]; e++) {
            int64_t below = table->size[table->edge_to[e]];
            f->plain = table->size[i] > 0 && below > 0 && table->edge_above[e] == table->size[i] &&
                       table->edge_below[e] == below;
        }
    }
    return f;
}

int64_t fit_align(const packcore_table *table, int64_t buffer, int64_t offset)
{
    int64_t align = table->align[buffer];
    return align == 1 ? offset : (offset + align - 1) / align * align;
}

/* A jump over one neighbour is final: all offsets jumped over are forbidden by it. */
static int64_t beside_ranges(const packcore_table *t, int64_t buffer, const int64_t *at)
{
    int64_t begin = t->edge_start[buffer], end = t->edge_start[buffer + 1];
    int64_t offset = 0, seen = 0, e = begin;
    while (seen < end - begin) {
        int64_t placed = at[t->edge_to[e]];
        seen++;
        if (placed >= 0 && placed - t->edge_above[e] < offset &&
            offset < placed + t->edge_below[e]) {
            offset = fit_align(t, buffer, placed + t->edge_below[e]);
            seen = 1;
        }
        e = e + 1 == end ? begin : e + 1;
    }
    return offset;
}

/* Sets the bits of what neighbours take; how many words that are, -1 where they are too few. */
static int64_t take(fit *f, int64_t buffer, const int64_t *at)
{
    const packcore_table *t = f->t;
    int64_t words = 0;
    for (int64_t e = t->edge_start[buffer]; e < t->edge_start[buffer + 1]; e++) {
        int64_t first = at[t->edge_to[e]];
        if (first < 0) {
            continue;
        }
        int64_t last = first + t->edge_below[e] - 1, low = first / 64, high = last / 64;
        if (high >= FIT_WORDS) {
            return -1;
        }
        while (words <= high) {
            f->taken[words++] = 0;
        }
        uint64_t from = UINT64_MAX << (first % 64), to = UINT64_MAX >> (63 - last % 64);
        if (low == high) {
            f->taken[low] |= from & to;
            continue;
        }
        f->taken[low++] |= from;
        while (low < high) {
            f->taken[low++] = UINT64_MAX;
        }
        f->taken[high] |= to;
    }
    return words;
}

static int64_t lowest_bit(uint64_t bits)
{
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctzll(bits);
#else
    int64_t at = 0;
    for (int64_t step = 32; step > 0; step /= 2) {
        if ((bits & ((UINT64_C(1) << step) - 1U)) == 0) {
            bits >>= step;
            at += step;
        }
    }
    return at;
#endif
}

/* The first unit from `from` on that is taken, or free; the end of the words where none is. */
static int64_t next(const fit *f, int64_t words, int64_t from, bool taken)
{
    uint64_t flip = taken ? 0 : UINT64_MAX, mask = UINT64_MAX << (from % 64);
    for (int64_t k = from / 64; k < words; k++) {
        uint64_t bits = (f->taken[k] ^ flip) & mask;
        if (bits != 0) {
            return k * 64 + lowest_bit(bits);
        }
        mask = UINT64_MAX;
    }
    return words * 64;
}

int64_t fit_lowest(fit *f, int64_t buffer, const int64_t *at)
{
    int64_t words = f->plain ? take(f, buffer, at) : -1, size = f->t->size[buffer];
    if (words < 0) {
        return beside_ranges(f->t, buffer, at);
    }
    int64_t end = words * 64, offset = 0;
    while (offset < end) {
        int64_t unit = next(f, words, offset, false);
        offset = fit_align(f->t, buffer, unit);
        if (offset >= end) {
            break;
        }
        int64_t above = next(f, words, offset, true);
        if (above == end || above - offset >= size) {
            break;
        }
        offset = above > offset ? above : offset + 1;
    }
    return fit_align(f->t, buffer, offset);
}

int64_t fit_first(fit *f, const int64_t *order, int64_t *at)
{
    const packcore_table *t = f->t;
    int64_t top = 0;
    memcpy(at, t->pinned, (size_t)t->count * sizeof *at);
    for (int64_t i = 0; i < t->count; i++) {
        int64_t buffer = order[i];
        if (at[buffer] < 0) {
            at[buffer] = fit_lowest(f, buffer, at);
        }
        int64_t end = at[buffer] + t->size[buffer];
        top = end > top ? end : top;
    }
    return top;
}

static int compare(const void *one, const void *two)
{
    const fit_rank *a = one, *b = two;
    int result = (a->place > b->place) - (a->place < b->place);
    return result != 0 ? result : (a->buffer > b->buffer) - (a->buffer < b->buffer);
}

void fit_sort(fit_rank *ranks, int64_t count)
{
    qsort(ranks, (size_t)count, sizeof *ranks, compare);
}

bool fit_order(const packcore_table *table, int64_t *order)
{
    fit_rank *ranks = malloc((size_t)table->count * sizeof *ranks);
    if (ranks == NULL) {
        return false;
    }
    for (int64_t i = 0; i < table->count; i++) {
        ranks[i] = (fit_rank){table->rank[i], i};
    }
    fit_sort(ranks, table->count);
    for (int64_t i = 0; i < table->count; i++) {
        order[i] = ranks[i].buffer;
    }
    free(ranks);
    return true;
}

packcore_status packcore_first_fit(const packcore_table *table, int64_t *rounds, int64_t *top)
{
    int64_t *order = malloc((size_t)table->count * sizeof *order);
    fit *f = fit_new(table);
    bool ok = f != NULL && order != NULL && fit_order(table, order);
    *rounds = 1;
    *top = ok ? fit_first(f, order, table->offset) : 0;
    free(f);
    free(order);
    return ok ? PACKCORE_FOUND : PACKCORE_NO_MEMORY;
}
