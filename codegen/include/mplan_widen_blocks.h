/* SPDX-License-Identifier: 0BSD */
/* mplan_widen_blocks.h - weights of 4 bits on scales of blocks in RAM as those of 8 bits. */
#ifndef MPLAN_WIDEN_BLOCKS_H
#define MPLAN_WIDEN_BLOCKS_H

#include "mplan.h"

/**
 * Four weights of 4 bits, each times a factor.
 *
 * @param raised  a byte for each, raised by 8: 0 to 15
 * @param pair    factors of even bytes, and in its high byte of odd ones: 0 to 15
 * @param signs   the highest bit of each difference: of bytes, or of halves that bytes are sums in
 */
static uint32_t mplan_multiplied(uint32_t raised, uint32_t pair, uint32_t signs)
{
    const uint32_t even = pair & 0xFFU;
    const uint32_t odd = pair >> 8U;
    const uint32_t product =
        ((raised & 0x000F000FU) * even) + ((((raised >> 8U) & 0x000F000FU) * odd) << 8U);
    const uint32_t level = (even * 0x00080008U) + (odd * 0x08000800U);

    return ((product | signs) - level) ^ (~product & signs);
}

/**
 * Copy a stream to an arena, its weights of 4 bits as int8 times the factors of their blocks.
 *
 * @param to      aligned to 4 bytes: blocks of so many times `head` words as they are and `taps`
 *                words of four weights, then `tail` words
 * @param from    the same; instead of `taps` first the factors, `period` pairs of two bytes for
 *                each `run` words of `to` and up to a word, then a word of eight weights, each
 *                raised by 8, for two words of `to`: the first in the low half of each byte; an
 *                odd last one has a word of its own
 * @param run     words that share factors, an even number
 * @param period  1, or 2: every other word has the second pair
 * @param signs   as mplan_multiplied() has it
 * @return        to, for the member of a params struct that points to weights of any type
 */
MPLAN_APART static const void *mplan_widen_blocks(int8_t *to, const void *from, size_t blocks,
                                                  size_t times, size_t head, size_t taps,
                                                  size_t tail, size_t run, size_t period,
                                                  uint32_t signs)
{
    const uint32_t *source = (const uint32_t *)from;
    uint32_t *copy = (uint32_t *)(void *)to;
    const size_t pairs = ((taps + run - 1U) / run) * period;

    for (size_t left = blocks * (times + 1U); left > 0U; left--) {
        const int last = ((left % (times + 1U)) == 1U);
        const size_t plain = last ? tail : head;
        const size_t all = last ? 0U : taps;

        for (size_t i = 0U; i < plain; i++) {
            copy[i] = source[i];
        }
        source = &source[plain];
        copy = &copy[plain];
        if (all > 0U) {
            const uint32_t *const factors = source;

            source = &source[(pairs + 1U) / 2U];
            for (size_t first = 0U; first < all; first += run) {
                const size_t end = ((all - first) < run) ? all : (first + run);
                const size_t at = (first / run) * period;
                const size_t then = at + period - 1U;
                const uint32_t low = (factors[at / 2U] >> (16U * (at % 2U))) & 0xFFFFU;
                const uint32_t high = (factors[then / 2U] >> (16U * (then % 2U))) & 0xFFFFU;

                for (size_t i = first; i < end; i += 2U) {
                    const uint32_t eight = source[i / 2U];

                    copy[i] = mplan_multiplied(eight & 0x0F0F0F0FU, low, signs);
                    if ((i + 1U) < end) {
                        copy[i + 1U] =
                            mplan_multiplied((eight >> 4U) & 0x0F0F0F0FU, high, signs);
                    }
                }
            }
            source = &source[(all + 1U) / 2U];
            copy = &copy[all];
        }
    }
    return to;
}

#endif /* MPLAN_WIDEN_BLOCKS_H */
