/* SPDX-License-Identifier: 0BSD */
/* mplan_stage.h - weights in RAM while a kernel reads them again and again. */
#ifndef MPLAN_STAGE_H
#define MPLAN_STAGE_H

#include "mplan.h"

/**
 * Copy weights from flash to an arena: in words where they are aligned to them.
 *
 * @param to    aligned to 4 bytes
 * @param from  weights
 * @param n     bytes
 * @return      to, for the member of a params struct that points to weights of any type
 */
MPLAN_APART static const void *mplan_stage(int8_t *to, const void *from, size_t n)
{
    const size_t in_blocks = (((uintptr_t)from % 4U) == 0U) ? (n - (n % 16U)) : 0U;
    const uint32_t *source = (const uint32_t *)from;
    uint32_t *copy = (uint32_t *)(void *)to;

    for (size_t at = 0U; at < in_blocks; at += 16U) {
        const uint32_t a = source[0];
        const uint32_t b = source[1];
        const uint32_t c = source[2];
        const uint32_t d = source[3];

        copy[0] = a;
        copy[1] = b;
        copy[2] = c;
        copy[3] = d;
        source = &source[4];
        copy = &copy[4];
    }
    for (size_t at = in_blocks; at < n; at++) {
        to[at] = ((const int8_t *)from)[at];
    }
    return to;
}

#endif /* MPLAN_STAGE_H */
