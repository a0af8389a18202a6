/* SPDX-License-Identifier: 0BSD */
/* mplan_integers.h - integers of any size, which may lie at any byte, in 64 bits. */
#ifndef MPLAN_INTEGERS_H
#define MPLAN_INTEGERS_H

#include <string.h>

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How an integer lies in memory: its bytes, 1, 4 or 8; +16: the top bit is a sign, as it is of 4
 * and 8 bytes in any case.
 */
#define MPLAN_INTEGER_BYTES(kind) ((kind) & 15U)
#define MPLAN_INTEGER_SIGNED (16U)
#define MPLAN_INTEGER_REAL (32U) /* +16 and 4 bytes: those of a float, which only have an order */

static inline int64_t mplan_take_integer(const int8_t *at, uint32_t kind)
{
    const uint32_t bytes = MPLAN_INTEGER_BYTES(kind);
    int64_t value = 0;

    if (bytes == 1U) {
        value = ((kind & MPLAN_INTEGER_SIGNED) != 0U) ? *at : MPLAN_CAST(uint8_t, *at);
    } else if (bytes == 4U) {
        int32_t word;

        (void)memcpy(&word, at, sizeof word);
        value = word;
    } else {
        (void)memcpy(&value, at, sizeof value);
    }
    return value;
}

/** An integer, or one that stands to others as the floats do; what is no number is above all. */
static inline int64_t mplan_take_ordered(const int8_t *at, uint32_t kind)
{
    const int64_t bits = mplan_take_integer(at, kind);
    int64_t result = bits;

    if ((kind & MPLAN_INTEGER_REAL) != 0U) {
        const int64_t size = bits & 0x7FFFFFFF;

        result = (bits < 0) ? -size : size;
        result = (size > 0x7F800000) ? 0x7F800001 : result;
    }
    return result;
}

/** Its low bytes. */
static inline void mplan_put_integer(int8_t *at, uint32_t kind, int64_t value)
{
    const uint32_t bytes = MPLAN_INTEGER_BYTES(kind);

    if (bytes == 1U) {
        *at = MPLAN_CAST(int8_t, MPLAN_CAST(uint8_t, MPLAN_CAST(uint64_t, value) & 0xFFU));
    } else if (bytes == 4U) {
        const uint32_t word = MPLAN_CAST(uint32_t, MPLAN_CAST(uint64_t, value) & 0xFFFFFFFFU);

        (void)memcpy(at, &word, sizeof word);
    } else {
        (void)memcpy(at, &value, sizeof value);
    }
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_INTEGERS_H */
