/* SPDX-License-Identifier: 0BSD */
/* mplan_reduce.h - which elements of a tensor become one, and what they become. */
#ifndef MPLAN_REDUCE_H
#define MPLAN_REDUCE_H

#include "mplan.h"

#define MPLAN_REDUCE_SUM (0U)
#define MPLAN_REDUCE_MEAN (1U)
#define MPLAN_REDUCE_MAX (2U)
#define MPLAN_REDUCE_MIN (3U)
#define MPLAN_REDUCE_PROD (4U)
#define MPLAN_REDUCE_L1 (5U)         /* sum of magnitudes */
#define MPLAN_REDUCE_L2 (6U)         /* root of the sum of squares */
#define MPLAN_REDUCE_SUM_SQUARE (7U) /* sum of squares */

/*
 * Inside a row: three loops along the axes that stay, then three along those that are reduced, each
 * its rounds and the elements from one round to the next, outermost first.
 */
#define MPLAN_REDUCE_LOOPS (6U)

/** Element of an input row at which those of the i-th output of a row begin. */
static inline size_t mplan_reduce_place(const uint32_t *loops, size_t i)
{
    const size_t inner = i % loops[4];
    const size_t outer = i / loops[4];

    return (inner * loops[5]) + ((outer % loops[2]) * loops[3]) + ((outer / loops[2]) * loops[1]);
}

/** Outputs of a row. */
static inline size_t mplan_reduce_outputs(const uint32_t *loops)
{
    return MPLAN_CAST(size_t, loops[0]) * loops[2] * loops[4];
}

#endif /* MPLAN_REDUCE_H */
