/* SPDX-License-Identifier: 0BSD */
/* mplan_walk.h - blocks of a tensor whose places are indices of another one. */
#ifndef MPLAN_WALK_H
#define MPLAN_WALK_H

#include <string.h>

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_WALK_LOOPS (5U)

/**
 * Where nested loops are: `loops` is [MPLAN_WALK_LOOPS][3], outermost first: rounds, bytes and
 * indices from one round to the next.
 */
typedef struct {
    size_t at[MPLAN_WALK_LOOPS];
    size_t byte;
    size_t index;
} mplan_walk_t;

/** The walk at its round number n. */
static inline mplan_walk_t mplan_walk_at(const uint32_t *loops, size_t n)
{
    mplan_walk_t walk = {{0U, 0U, 0U, 0U, 0U}, 0U, 0U};
    size_t left = n;

    for (size_t k = MPLAN_WALK_LOOPS; k > 0U; k--) {
        const uint32_t *const loop = &loops[(k - 1U) * 3U];
        const size_t at = left % loop[0];

        walk.at[k - 1U] = at;
        walk.byte += at * loop[1];
        walk.index += at * loop[2];
        left /= loop[0];
    }
    return walk;
}

/** One round further; behind the last one comes the first. */
static inline void mplan_walk_on(const uint32_t *loops, mplan_walk_t *walk)
{
    size_t k = MPLAN_WALK_LOOPS;

    while (k > 0U) {
        const uint32_t *const loop = &loops[(k - 1U) * 3U];

        walk->at[k - 1U]++;
        walk->byte += loop[1];
        walk->index += loop[2];
        if (walk->at[k - 1U] < loop[0]) {
            k = 0U;
        } else {
            walk->byte -= loop[0] * loop[1];
            walk->index -= loop[0] * loop[2];
            walk->at[k - 1U] = 0U;
            k--;
        }
    }
}

/** Where byte `place` of a tensor lies that has rows of so many bytes. */
static inline size_t mplan_walk_place(const mplan_rows_t *rows, size_t row_bytes, size_t place)
{
    size_t found = place;

    if ((rows->table != NULL) || (rows->stride != row_bytes)) {
        found = mplan_row(rows, place / row_bytes) + (place % row_bytes);
    }
    return found;
}

/** An index of 4 or 8 bytes; one that 32 bits do not hold is the end of those it is nearest to. */
static inline int32_t mplan_walk_index(const int8_t *at, size_t bytes)
{
    int32_t low = 0;
    int32_t high = 0;

    (void)memcpy(&low, at, 4U);
    if (bytes > 4U) {
        (void)memcpy(&high, &at[4], 4U);
        if (high != ((low < 0) ? -1 : 0)) {
            low = (high < 0) ? INT32_MIN : INT32_MAX;
        }
    }
    return low;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WALK_H */
