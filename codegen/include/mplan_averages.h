/* SPDX-License-Identifier: 0BSD */
/* mplan_averages.h - which elements of an axis an average takes, and how many count. */
#ifndef MPLAN_AVERAGES_H
#define MPLAN_AVERAGES_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Elements [first, end) of the input along one axis, and how many count. */
typedef struct {
    int32_t first;
    int32_t end;
    int32_t count;
} mplan_averaged_t;

/** Those of a window that begins at `first`; of the padding, so many elements count. */
static inline mplan_averaged_t mplan_averaged(int32_t first, uint32_t kernel, uint32_t size,
                                              uint32_t before, uint32_t after)
{
    const int32_t end = first + MPLAN_CAST(int32_t, kernel);
    const int32_t limit = MPLAN_CAST(int32_t, size) + MPLAN_CAST(int32_t, after);
    const int32_t least = -MPLAN_CAST(int32_t, before);
    mplan_averaged_t span;

    span.first = mplan_clamp(first, 0, MPLAN_CAST(int32_t, size));
    span.end = mplan_clamp(end, 0, MPLAN_CAST(int32_t, size));
    span.count = ((end < limit) ? end : limit) - ((first > least) ? first : least);
    return span;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_AVERAGES_H */
