/* SPDX-License-Identifier: 0BSD */
/* mplan_windows.h - which elements of an axis lie under a window: what kernels of windows share. */
#ifndef MPLAN_WINDOWS_H
#define MPLAN_WINDOWS_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How many taps at place, place + step .. lie below an index. */
static inline int32_t mplan_taps_below(int32_t place, int32_t step, int32_t kernel, int32_t index)
{
    const int32_t reach = index - place;
    const int32_t taps = (reach > 0) ? ((reach + step - 1) / step) : 0;

    return (taps < kernel) ? taps : kernel;
}

/** Taps of a window along one axis that lie on elements, and the elements under them. */
typedef struct {
    size_t count;
    size_t tap; /* the first, and from one to the next */
    size_t tap_step;
    size_t index;
    size_t index_step;
} mplan_taps_t;

/** The window at a place among elements that lie `up` apart; every step-th tap may meet one. */
static MPLAN_APART mplan_taps_t mplan_taps_of(int32_t place, uint16_t dilation, uint16_t kernel,
                                              uint16_t size, uint16_t up, uint16_t step)
{
    const int32_t apart = MPLAN_CAST(int32_t, dilation);
    const int32_t spaced = MPLAN_CAST(int32_t, up);
    const int32_t last = (MPLAN_CAST(int32_t, size) - 1) * spaced;
    const int32_t end = mplan_taps_below(place, apart, MPLAN_CAST(int32_t, kernel), last + 1);
    int32_t first = mplan_taps_below(place, apart, MPLAN_CAST(int32_t, kernel), 0);
    mplan_taps_t taps = {0U, 0U, step, 0U, (MPLAN_CAST(size_t, step) * dilation) / up};

    if (up > 1U) {
        while ((first < end) && (((place + (first * apart)) % spaced) != 0)) {
            first++;
        }
    }
    if (first < end) {
        taps.count = (MPLAN_CAST(size_t, end - first) + step - 1U) / step;
        taps.tap = MPLAN_CAST(size_t, first);
        taps.index = MPLAN_CAST(size_t, place + (first * apart)) / up;
    }
    return taps;
}

/** Elements under a window along one axis: the first, behind the last, from one to the next. */
typedef struct {
    int32_t first;
    int32_t end;
    int32_t step;
} mplan_span_t;

static inline mplan_span_t mplan_span_of(size_t out, uint16_t stride, uint16_t pad, uint16_t kernel,
                                         uint16_t dilation, uint16_t size)
{
    const int32_t place = (MPLAN_CAST(int32_t, out) * MPLAN_CAST(int32_t, stride)) -
                          MPLAN_CAST(int32_t, pad);
    const int32_t step = MPLAN_CAST(int32_t, dilation);
    const int32_t before = (place < 0) ? ((step - 1 - place) / step) : 0; /* taps */
    const int32_t end = place + (MPLAN_CAST(int32_t, kernel) * step);
    const int32_t all = MPLAN_CAST(int32_t, size);
    mplan_span_t span;

    span.first = place + (before * step);
    span.end = (end < all) ? end : all;
    span.step = step;
    return span;
}

/**
 * Rows of the input under a window: from `top` on every step-th, NULL where they lie outside.
 * Returns whether all lie inside.
 */
static MPLAN_APART int mplan_lines_under(const mplan_rows_t *rows, const int8_t *in, uint16_t size,
                                         int32_t top, uint16_t step, uint16_t kernel,
                                         const int8_t **lines)
{
    int32_t y = top;
    int whole = 1;

    for (size_t i = 0U; i < MPLAN_CAST(size_t, kernel); i++) {
        lines[i] = NULL;
        if ((y >= 0) && (y < MPLAN_CAST(int32_t, size))) {
            lines[i] = &in[mplan_row(rows, MPLAN_CAST(size_t, y))];
        } else {
            whole = 0;
        }
        y += MPLAN_CAST(int32_t, step);
    }
    return whole;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WINDOWS_H */
