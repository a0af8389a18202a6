/* SPDX-License-Identifier: Apache-2.0 */
/* The lowest free offset of a buffer among those that are placed. */
#ifndef MCUPLAN_PACKCORE_FIT_H
#define MCUPLAN_PACKCORE_FIT_H

#include "packcore.h"

/* Arenas of up to 64 times as many units are looked at as bits. */
enum { FIT_WORDS = 1024 };

typedef struct {
    const packcore_table *t;
    bool plain; /* no two buffers alive together share a unit */
    uint64_t taken[FIT_WORDS];
} fit;

/* NULL without memory. */
fit *fit_new(const packcore_table *table);
int64_t fit_align(const packcore_table *table, int64_t buffer, int64_t offset);
/* The lowest offset that no buffer with an offset `at` of 0 or more forbids. */
int64_t fit_lowest(fit *f, int64_t buffer, const int64_t *at);
/* Places the buffers in this order, all but the pinned ones; where the highest ends. */
int64_t fit_first(fit *f, const int64_t *order, int64_t *at);

/* A buffer and its place in an order. */
typedef struct {
    int64_t place, buffer;
} fit_rank;

void fit_sort(fit_rank *ranks, int64_t count);
/* The buffers by rank. */
bool fit_order(const packcore_table *table, int64_t *order);

#endif
