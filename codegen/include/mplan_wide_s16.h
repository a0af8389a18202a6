/* SPDX-License-Identifier: 0BSD */
/* mplan_wide_s16.h - what weighted kernels of int16 inputs share: sums of 64 bits. */
#ifndef MPLAN_WIDE_S16_H
#define MPLAN_WIDE_S16_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Products of int16 and int8 whose sum 32 bits hold: 2^22 each at most. */
#define MPLAN_WIDE_RUN (256U)

/**
 * round(acc * multiplier * 2^(pre_shift - 32)), halves up.
 * The generator has proved that |acc| stays below 2^46 and the result below 2^30.
 */
static inline int32_t mplan_scale_wide(int64_t acc, int32_t multiplier, uint32_t pre_shift)
{
    int64_t product = acc * MPLAN_CAST(int64_t, multiplier);

    if (pre_shift != 0U) {
        product *= MPLAN_CAST(int64_t, 1) << pre_shift;
    }
    return MPLAN_CAST(int32_t, (product + (MPLAN_CAST(int64_t, 1) << 31)) >> 32);
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WIDE_S16_H */
