/* SPDX-License-Identifier: Apache-2.0 */
/* operands_make.h - what both decoders build operands from. */
#ifndef OPERANDS_MAKE_H
#define OPERANDS_MAKE_H

#include "operands.h"

#define PC (15U)

static inline unsigned bits(unsigned word, unsigned high, unsigned low)
{
    return (word >> low) & ((1U << (high - low + 1U)) - 1U);
}

static inline uint64_t reg(unsigned number)
{
    return UINT64_C(1) << number;
}

static inline operands_t plain(does_t does, uint64_t read, uint64_t written)
{
    const operands_t o = { .does = does, .read = read, .written = written };
    return o;
}

static inline operands_t access_one(bool load, unsigned bytes, unsigned rt, uint64_t address)
{
    operands_t o = plain(load ? DOES_LOAD : DOES_STORE, address, load ? reg(rt) : 0U);

    o.bytes = bytes;
    o.early = address & ~PROGRAM_COUNTER;
    if (!load) {
        o.read |= reg(rt);
        o.late = reg(rt);
    }
    return o;
}

static inline operands_t access_many(bool load, unsigned base, uint64_t list, bool moves)
{
    operands_t o = plain(DOES_MANY, reg(base) | (load ? 0U : list), load ? list : 0U);

    o.early = reg(base);
    o.late = load ? 0U : (list & ~reg(base));
    o.moved = moves ? reg(base) : 0U;
    o.words = (unsigned)__builtin_popcountll(list);
    return o;
}

static inline operands_t branch(uint64_t read, uint64_t written)
{
    return plain(DOES_BRANCH, read, written | PROGRAM_COUNTER);
}

/** Of a 16-bit instruction. */
operands_t operands_of_narrow(unsigned op);

#endif
