/* SPDX-License-Identifier: 0BSD */
/* mplan_widen.h - weights of 4 bits in RAM as those of 8 that a kernel reads. */
#ifndef MPLAN_WIDEN_H
#define MPLAN_WIDEN_H

#include "mplan.h"

/* Four bytes of 0 to 15, each less 8. */
static uint32_t mplan_lowered(uint32_t raised)
{
    return (raised + 0x78787878U) ^ 0x80808080U;
}

/**
 * Copy a stream to an arena, its weights of 4 bits as int8.
 *
 * @param to      aligned to 4 bytes: blocks of so many times `head` words as they are and `taps`
 *                words of four weights, then `tail` words
 * @param from    the same with a word of eight weights, each raised by 8, for two words of `to`:
 *                the first in the low half of each byte; an odd last one has a word of its own
 * @return        to, for the member of a params struct that points to weights of any type
 */
MPLAN_APART static const void *mplan_widen(int8_t *to, const void *from, size_t blocks,
                                           size_t times, size_t head, size_t taps, size_t tail)
{
    const uint32_t *source = (const uint32_t *)from;
    uint32_t *copy = (uint32_t *)(void *)to;

    for (size_t left = blocks * (times + 1U); left > 0U; left--) {
        const int last = ((left % (times + 1U)) == 1U);
        const size_t plain = last ? tail : head;
        const size_t all = last ? 0U : taps;

        for (size_t i = 0U; i < plain; i++) {
            copy[i] = source[i];
        }
        source = &source[plain];
        copy = &copy[plain];
        for (size_t i = 0U; i < (all / 2U); i++) {
            const uint32_t eight = source[i];

            copy[2U * i] = mplan_lowered(eight & 0x0F0F0F0FU);
            copy[(2U * i) + 1U] = mplan_lowered((eight >> 4U) & 0x0F0F0F0FU);
        }
        source = &source[all / 2U];
        copy = &copy[2U * (all / 2U)];
        if ((all % 2U) != 0U) {
            copy[0] = mplan_lowered(source[0] & 0x0F0F0F0FU);
            source = &source[1];
            copy = &copy[1];
        }
    }
    return to;
}

#endif /* MPLAN_WIDEN_H */
