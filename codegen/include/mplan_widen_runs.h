/* SPDX-License-Identifier: 0BSD */
/* mplan_widen_runs.h - weights of 4 bits in RAM as runs of those of 8 that a kernel reads. */
#ifndef MPLAN_WIDEN_RUNS_H
#define MPLAN_WIDEN_RUNS_H

#include "mplan.h"

/**
 * Copy weights of two channels at a time to an arena, in runs of at most 15 taps.
 *
 * @param to    for each pair of channels runs, and a 0: a byte of 2 + 16 * (15 - its taps), then
 *              a weight of either channel for each tap of the run, as int8
 * @param from  for each pair of channels `taps` bytes of two weights, each raised by 8: that of the
 *              first channel in the low half
 * @return      to, for the member of a params struct that points to weights of any type
 */
MPLAN_APART static const void *mplan_widen_runs(int8_t *to, const void *from, size_t pairs,
                                                size_t taps)
{
    const uint8_t *source = (const uint8_t *)from;
    uint8_t *copy = (uint8_t *)(void *)to;

    for (size_t pair = 0U; pair < pairs; pair++) {
        for (size_t first = 0U; first < taps; first += 15U) {
            const size_t count = ((taps - first) < 15U) ? (taps - first) : 15U;

            copy[0] = (uint8_t)(2U + (16U * (15U - count)));
            copy = &copy[1];
            for (size_t i = 0U; i < count; i++) {
                const uint32_t both = source[i];

                copy[2U * i] = (uint8_t)(((both & 15U) + 248U) & 255U);
                copy[(2U * i) + 1U] = (uint8_t)(((both >> 4U) + 248U) & 255U);
            }
            source = &source[count];
            copy = &copy[2U * count];
        }
        copy[0] = 0U;
        copy = &copy[1];
    }
    return to;
}

#endif /* MPLAN_WIDEN_RUNS_H */
