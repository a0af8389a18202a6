/* SPDX-License-Identifier: 0BSD */
/* mplan_inverse_root.h - what a normalization of integers makes of its sums. */
#ifndef MPLAN_INVERSE_ROOT_H
#define MPLAN_INVERSE_ROOT_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/** High word of a product. */
static inline uint32_t mplan_high(uint32_t a, uint32_t b)
{
    return MPLAN_CAST(uint32_t, (MPLAN_CAST(uint64_t, a) * b) >> 32);
}

/**
 * From 2^30 to 2^31: 1 / sqrt(mantissa * 4^half) is root * 2^(-46 - half), for a mantissa of 31 or
 * 32 bits; 1.2e-6 too small at most. A parabola, and two steps of Newton's method.
 */
static inline uint32_t mplan_inverse_root(uint32_t mantissa)
{
    const uint32_t bent = 3527624445U - mplan_high(mantissa, 1759398445U);
    uint32_t root = 2867787663U - mplan_high(mantissa, bent);

    for (int32_t i = 0; i < 2; i++) {
        const uint32_t square = mplan_high(root, root);
        const uint32_t factor = 0x30000000U - mplan_high(square, mantissa);

        root = MPLAN_CAST(uint32_t, (MPLAN_CAST(uint64_t, root) * factor) >> 29);
    }
    return root;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_INVERSE_ROOT_H */
