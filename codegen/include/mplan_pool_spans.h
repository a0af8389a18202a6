/* SPDX-License-Identifier: 0BSD */
/* mplan_pool_spans.h - windows of a pool over three axes: what its kernels of all types share. */
#ifndef MPLAN_POOL_SPANS_H
#define MPLAN_POOL_SPANS_H

#include "mplan_windows.h"

#define BLOCK (8U) /* channels side by side */

enum { LARGEST, LEAST, SUM };

/* Taps of a window along one axis: the place of the first, those in the input, all that count. */
typedef struct {
    int32_t place;
    int32_t step;
    int32_t first;
    int32_t end;
    int32_t count;
} span_t;

static span_t span_of(int32_t place, uint16_t step, uint16_t kernel, uint16_t size, uint16_t before,
                      uint16_t after)
{
    const int32_t taps = (int32_t)kernel;
    const int32_t end = (int32_t)size + (int32_t)after;
    span_t span;

    span.place = place;
    span.step = (int32_t)step;
    span.first = mplan_taps_below(place, span.step, taps, 0);
    span.end = mplan_taps_below(place, span.step, taps, (int32_t)size);
    span.count = mplan_taps_below(place, span.step, taps, end) -
                 mplan_taps_below(place, span.step, taps, -(int32_t)before);
    return span;
}

static size_t index_of(const span_t *span, int32_t tap)
{
    return (size_t)(span->place + (tap * span->step));
}

#endif /* MPLAN_POOL_SPANS_H */
