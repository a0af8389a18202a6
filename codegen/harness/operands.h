/* SPDX-License-Identifier: Apache-2.0 */
/* operands.h - what a Thumb instruction reads and writes, for cores whose cycles depend on it. */
#ifndef OPERANDS_H
#define OPERANDS_H

#include <stdbool.h>
#include <stdint.h>

/** What it is, as far as pairs and latencies go. */
typedef enum {
    DOES_MOVE,     /* additions, subtractions, moves, shifts alone */
    DOES_LOGIC,    /* and what else the arithmetic unit does in one stage */
    DOES_SHIFTED,  /* with a shifted register or a rotated constant */
    DOES_EXTEND,   /* extensions, bit fields, saturation, sums by bytes and halves */
    DOES_MULTIPLY, /* with or without a sum */
    DOES_DIVIDE,
    DOES_LOAD,
    DOES_STORE,
    DOES_MANY, /* words: loads and stores of several registers */
    DOES_BRANCH,
    DOES_NOTHING, /* IT, NOP and other hints */
    DOES_FLOAT,
    DOES_FUSED, /* products with a sum of floats */
    DOES_LONG_FLOAT /* divisions and roots */
} does_t;

#define FLAGS (UINT64_C(1) << 16)
#define PROGRAM_COUNTER (UINT64_C(1) << 15)

/** Registers by bit: 0 to 15 the core's, 16 its flags, 32 to 63 those of floats. */
typedef struct {
    does_t does;
    unsigned size;    /* bytes, 2 or 4 */
    unsigned words;   /* of DOES_MANY */
    unsigned bytes;   /* of DOES_LOAD and DOES_STORE */
    uint64_t read;    /* all that is read */
    uint64_t early;   /* of these: addresses, and what is shifted or extended first */
    uint64_t late;    /* of these: the sum that a product adds to, and what is stored */
    uint64_t written;
    uint64_t moved;   /* a base register that is written back */
    unsigned offset;  /* from it, of words that are loaded: even or odd words lie in two banks */
} operands_t;

/** first, second: halfwords of the instruction; second is not used by a 16-bit one. */
operands_t operands_of(unsigned first, unsigned second);

#endif
