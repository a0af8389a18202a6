/* SPDX-License-Identifier: Apache-2.0 */
/* operands.c - registers of 32-bit instructions. Encodings: Armv7-M ARM, section A5.3, A6. */
#include "operands_make.h"

/* A5.3.5, A5.3.6. */
static operands_t memory_group(unsigned a, unsigned b)
{
    const bool load = bits(a, 4, 4) == 1U;
    const unsigned base = bits(a, 3, 0);
    const uint64_t pair = reg(bits(b, 15, 12)) | reg(bits(b, 11, 8));

    if (bits(a, 6, 6) == 0U) {
        return access_many(load, base, bits(b, 15, 0), bits(a, 5, 5) == 1U);
    }
    if ((bits(a, 8, 4) == 0xDU) && (bits(b, 15, 5) == 0x780U)) { /* TBB, TBH */
        return branch(reg(base) | reg(bits(b, 3, 0)), 0U);
    }
    if ((bits(a, 8, 8) == 0U) && (bits(a, 5, 5) == 0U)) { /* exclusive */
        return access_one(load, 4U, bits(b, 15, 12), reg(base));
    }
    return access_many(load, base, pair, bits(a, 5, 5) == 1U);
}

/* A5.3.1, A5.3.3, A5.3.11: op of AND, BIC .. with a second operand that is shifted or not. */
static operands_t data32(unsigned a, unsigned b, uint64_t second, bool shifted)
{
    const unsigned op = bits(a, 8, 5);
    const unsigned base = bits(a, 3, 0);
    const unsigned to = bits(b, 11, 8);
    const bool moves = ((op == 2U) || (op == 3U)) && (base == PC); /* MOV, MVN and shifts */
    const uint64_t flags = (bits(a, 4, 4) == 1U) ? FLAGS : 0U;
    operands_t o = plain(DOES_LOGIC, second | (moves ? 0U : reg(base)),
                         ((to == PC) ? 0U : reg(to)) | flags);

    if ((op == 10U) || (op == 11U)) { /* ADC, SBC */
        o.read |= FLAGS;
    }
    if (op == 6U) { /* PKH */
        o.does = DOES_EXTEND;
        o.early = second;
    } else if (moves && (op == 2U)) {
        o.does = DOES_MOVE;
    } else if (shifted) {
        o.does = DOES_SHIFTED;
        o.early = second;
    } else if ((op == 8U) || (op >= 13U)) {
        o.does = (to == PC) ? DOES_LOGIC : DOES_MOVE;
    }
    return o;
}

/* A5.3.3. */
static operands_t plain_immediate(unsigned a, unsigned b)
{
    const unsigned op = bits(a, 8, 4);
    const uint64_t from = reg(bits(a, 3, 0));
    const uint64_t to = reg(bits(b, 11, 8));
    operands_t o = plain(DOES_MOVE, from & ~PROGRAM_COUNTER, to);

    if (op == 4U) { /* MOVW */
        o.read = 0U;
    } else if (op == 12U) { /* MOVT */
        o.read = to;
    } else if (op >= 16U) {
        o.does = DOES_EXTEND;
        o.early = o.read;
        o.read |= (op == 22U) ? to : 0U; /* BFI */
    }
    return o;
}

static operands_t control(unsigned a, unsigned b)
{
    const bool far = bits(b, 12, 12) == 1U;
    const bool link = bits(b, 14, 14) == 1U;

    if (!link && !far && (bits(a, 9, 7) == 7U)) {
        return plain(DOES_NOTHING, 0U, 0U); /* hints, barriers, MSR, MRS */
    }
    return branch((link || far) ? 0U : FLAGS, link ? reg(14U) : 0U);
}

/* A5.3.7 to A5.3.10. */
static operands_t single(unsigned a, unsigned b)
{
    const bool load = bits(a, 4, 4) == 1U;
    const unsigned base = bits(a, 3, 0);
    const bool by_sum = (bits(a, 7, 7) == 0U) && (bits(b, 11, 11) == 0U) && (base != PC);
    const bool moves = (bits(a, 7, 7) == 0U) && (bits(b, 11, 11) == 1U) && (bits(b, 8, 8) == 1U);
    operands_t o = access_one(load, 1U << bits(a, 6, 5), bits(b, 15, 12),
                              reg(base) | (by_sum ? reg(bits(b, 3, 0)) : 0U));

    o.moved = moves ? reg(base) : 0U;
    if (!by_sum) {
        const bool ahead = (bits(a, 7, 7) == 1U) || (bits(b, 10, 10) == 1U);
        o.offset = ahead ? bits(b, (bits(a, 7, 7) == 1U) ? 11U : 7U, 0U) : 0U;
    }
    return o;
}

/* A5.3.12 to A5.3.15. */
static operands_t register_group(unsigned a, unsigned b)
{
    const unsigned base = bits(a, 3, 0);
    const uint64_t second = reg(bits(b, 3, 0));
    operands_t o = plain(DOES_EXTEND, second | reg(base), reg(bits(b, 11, 8)));

    if ((bits(a, 7, 7) == 0U) && (bits(b, 7, 7) == 0U)) {
        o.does = DOES_MOVE; /* a shift by a register */
    } else if (bits(a, 7, 7) == 0U) {
        o.read = second | ((base == PC) ? 0U : reg(base));
        o.early = second;
    } else if (bits(b, 7, 6) == 2U) {
        o.early = second; /* REV, CLZ; QADD, SEL */
    }
    return o;
}

/* A5.3.16, A5.3.17. */
static operands_t multiply_group(unsigned a, unsigned b)
{
    const unsigned op = bits(a, 6, 4);
    const uint64_t factors = reg(bits(a, 3, 0)) | reg(bits(b, 3, 0));
    const uint64_t high = reg(bits(b, 15, 12));
    operands_t o = plain(DOES_MULTIPLY, factors, reg(bits(b, 11, 8)));

    if (bits(a, 7, 7) == 0U) {
        o.late = (bits(b, 15, 12) == PC) ? 0U : high;
    } else if (((op == 1U) || (op == 3U)) && (bits(b, 7, 4) == 0xFU)) {
        o.does = DOES_DIVIDE;
    } else {
        o.late = (op >= 4U) ? (high | o.written) : 0U;
        o.written |= high;
    }
    o.read |= o.late;
    return o;
}

static uint64_t floats(unsigned number, unsigned extra, bool twice)
{
    return twice ? (UINT64_C(3) << (32U + ((2U * (number | (extra << 4))) % 32U)))
                 : (UINT64_C(1) << (32U + (2U * number) + extra));
}

/* A6.4 to A6.7. */
static operands_t float_memory(unsigned a, unsigned b)
{
    const bool load = bits(a, 4, 4) == 1U;
    const bool twice = bits(b, 8, 8) == 1U;
    const uint64_t first = floats(bits(b, 15, 12), bits(a, 6, 6), twice);
    const unsigned words = bits(b, 7, 0);
    operands_t o;

    if (bits(a, 8, 5) == 2U) { /* VMOV of two words */
        const uint64_t pair = reg(bits(b, 15, 12)) | reg(bits(a, 3, 0));
        const uint64_t both = floats(bits(b, 3, 0), bits(b, 5, 5), true);

        o = load ? plain(DOES_MANY, both, pair) : plain(DOES_MANY, pair, both);
        o.words = 2U;
    } else if ((bits(a, 8, 8) == 1U) && (bits(a, 5, 5) == 0U)) {
        o = plain(load ? DOES_LOAD : DOES_STORE, reg(bits(a, 3, 0)), load ? first : 0U);
        o.early = o.read;
        o.read |= load ? 0U : first;
        o.late = load ? 0U : first;
        o.bytes = twice ? 8U : 4U;
    } else {
        uint64_t list = 0U;

        for (unsigned k = 0U; (k < words) && (k < 32U); k++) {
            list |= (first & ~(first - 1U)) << k;
        }
        o = access_many(load, bits(a, 3, 0), list, bits(a, 5, 5) == 1U);
    }
    return o;
}

static operands_t float_group(unsigned a, unsigned b)
{
    const bool twice = bits(b, 8, 8) == 1U;
    const uint64_t to = floats(bits(b, 15, 12), bits(a, 6, 6), twice);
    const uint64_t one = floats(bits(a, 3, 0), bits(b, 7, 7), twice);
    const uint64_t two = floats(bits(b, 3, 0), bits(b, 5, 5), twice);
    const unsigned op = (bits(a, 7, 7) << 2) | bits(a, 5, 4);
    operands_t o = plain(DOES_FLOAT, one | two, to);

    if (bits(a, 11, 9) == 6U) {
        o = float_memory(a, b);
    } else if (bits(b, 4, 4) == 1U) { /* VMOV of a word, VMRS */
        const unsigned rt = bits(b, 15, 12);
        const uint64_t core = (rt == PC) ? FLAGS : reg(rt);
        const uint64_t other = (rt == PC) ? 0U : floats(bits(a, 3, 0), bits(b, 7, 7), false);

        o = (bits(a, 4, 4) == 1U) ? plain(DOES_FLOAT, other, core)
                                  : plain(DOES_FLOAT, core, other);
    } else if ((op == 0U) || (op == 1U) || (op == 5U) || (op == 6U)) {
        o.does = DOES_FUSED;
        o.read |= to;
        o.late = to;
    } else if ((op == 4U) || ((op == 7U) && (bits(a, 3, 0) == 1U) && (bits(b, 7, 6) == 3U))) {
        o.does = DOES_LONG_FLOAT;
    } else if (op == 7U) {
        o.read = two;
    }
    return o;
}

static operands_t operands32(unsigned a, unsigned b)
{
    const unsigned group = bits(a, 12, 11);
    const uint64_t second = reg(bits(b, 3, 0));

    if (group == 2U) {
        if (bits(b, 15, 15) == 1U) {
            return control(a, b);
        }
        if (bits(a, 9, 9) == 1U) {
            return plain_immediate(a, b);
        }
        return data32(a, b, 0U, (bits(a, 10, 10) == 1U) || (bits(b, 14, 14) == 1U));
    }
    if (bits(a, 10, 10) == 1U) {
        return (bits(b, 11, 9) == 5U) ? float_group(a, b) : plain(DOES_LOGIC, 0U, 0U);
    }
    if (group == 1U) {
        return (bits(a, 9, 9) == 0U)
                   ? memory_group(a, b)
                   : data32(a, b, second, (b & 0x70F0U) != 0U);
    }
    if (bits(a, 9, 9) == 0U) {
        return single(a, b);
    }
    return (bits(a, 8, 8) == 1U) ? multiply_group(a, b) : register_group(a, b);
}

operands_t operands_of(unsigned first, unsigned second)
{
    const bool wide = bits(first, 15, 11) >= 0x1DU;
    operands_t o = wide ? operands32(first, second) : operands_of_narrow(first);

    o.size = wide ? 4U : 2U;
    return o;
}
