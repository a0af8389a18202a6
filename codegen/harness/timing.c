/* SPDX-License-Identifier: Apache-2.0 */
/* timing.c - Thumb decoder, as deep as the timing tables need it.
 *
 * Encodings: Armv7-M Architecture Reference Manual, section A5. */
#include "beats.h"
#include "timing.h"

#include <string.h>

#define REFILL (2U)
#define DIVIDE (6U)
#define PC (15U)

static const timing_t plain = { .size = 4U, .cycles = 1U };

static unsigned bits(unsigned word, unsigned high, unsigned low)
{
    return (word >> low) & ((1U << (high - low + 1U)) - 1U);
}

static unsigned ones(unsigned word)
{
    return (unsigned)__builtin_popcount(word);
}

static timing_t access_single(unsigned size, bool load, bool to_pc)
{
    const timing_t t = { .size = size,
                         .cycles = load ? 2U : 1U,
                         .refill = to_pc ? REFILL : 0U,
                         .single_load = load,
                         .store = load ? STORE_NONE : STORE_TO_OFFSET };
    return t;
}

static timing_t to_sum(timing_t t)
{
    if (t.store != STORE_NONE) {
        t.store = STORE_TO_SUM;
    }
    return t;
}

static timing_t access_many(unsigned size, unsigned words, bool to_pc)
{
    const timing_t t = { .size = size, .cycles = 1U + words, .refill = to_pc ? REFILL : 0U };
    return t;
}

static timing_t branch(unsigned size)
{
    const timing_t t = { .size = size, .cycles = 1U, .refill = REFILL };
    return t;
}

static timing_t immediate_branch(unsigned size)
{
    timing_t t = branch(size);
    t.immediate_branch = true;
    return t;
}

/* A5.2.5: the group 1011. */
static timing_t misc16(unsigned op)
{
    timing_t t = { .size = 2U, .cycles = 1U };

    if ((bits(op, 10, 10) == 0U) && (bits(op, 8, 8) == 1U)) { /* CBZ, CBNZ */
        t = immediate_branch(2U);
    } else if (bits(op, 11, 9) == 2U) { /* PUSH */
        t = access_many(2U, ones(bits(op, 8, 0)), false);
    } else if (bits(op, 11, 9) == 6U) { /* POP */
        t = access_many(2U, ones(bits(op, 8, 0)), bits(op, 8, 8) == 1U);
    }
    return t;
}

/* A5.2.3: ADD, CMP, MOV on any register, BX, BLX. */
static timing_t special16(unsigned op)
{
    timing_t t = { .size = 2U, .cycles = 1U };
    const unsigned to = (bits(op, 7, 7) << 3) | bits(op, 2, 0);

    if (bits(op, 9, 8) == 3U) {
        t = branch(2U);
    } else if ((bits(op, 9, 8) != 1U) && (to == PC)) {
        t = branch(2U);
    }
    return t;
}

static timing_t timing16(unsigned op)
{
    timing_t t = { .size = 2U, .cycles = 1U };

    switch (bits(op, 15, 12)) {
    case 0x4:
        if (bits(op, 11, 11) == 1U) {
            t = access_single(2U, true, false);
        } else if (bits(op, 11, 10) == 1U) {
            t = special16(op);
        }
        break;
    case 0x5:
        t = to_sum(access_single(2U, bits(op, 11, 9) >= 3U, false));
        break;
    case 0x6:
    case 0x7:
    case 0x8:
    case 0x9:
        t = access_single(2U, bits(op, 11, 11) == 1U, false);
        break;
    case 0xB:
        t = misc16(op);
        break;
    case 0xC:
        t = access_many(2U, ones(bits(op, 7, 0)), false);
        break;
    case 0xD:
    case 0xE:
        t = immediate_branch(2U);
        break;
    default:
        break;
    }
    return t;
}

/* A5.3.5 and A5.3.6: several registers, pairs, exclusives, table branches. */
static timing_t memory_group(unsigned a, unsigned b)
{
    const bool load = bits(a, 4, 4) == 1U;
    timing_t t;

    if (bits(a, 6, 6) == 0U) {
        t = access_many(4U, ones(b), load && (bits(b, 15, 15) == 1U));
    } else if ((bits(a, 8, 4) == 0xDU) && (bits(b, 15, 5) == 0x780U)) { /* TBB, TBH */
        t = branch(4U);
        t.cycles = 2U;
    } else if ((bits(a, 8, 8) == 0U) && (bits(a, 5, 5) == 0U)) { /* LDREX, STREX */
        t = access_many(4U, 1U, false);
    } else {
        t = access_many(4U, 2U, false);
    }
    return t;
}

/* A5.3.16 and A5.3.17. */
static timing_t multiply_group(timing_core_t core, unsigned a, unsigned b)
{
    timing_t t = plain;
    const unsigned op = bits(a, 6, 4);

    if (bits(a, 7, 7) == 0U) {
        if ((core == TIMING_M3) && (op == 0U) && (bits(b, 15, 12) != PC)) {
            t.cycles = 2U; /* MLA, MLS */
        }
    } else if (((op == 1U) || (op == 3U)) && (bits(b, 7, 4) == 0xFU)) {
        t.cycles = DIVIDE;
    } else if (core == TIMING_M3) {
        t.cycles = (op < 4U) ? 4U : 5U; /* 3 to 5, 4 to 7 */
    }
    return t;
}

/* A6.4 to A6.7: the single-precision unit of the M4. */
static timing_t fpu_group(unsigned a, unsigned b)
{
    timing_t t = plain;

    if (bits(a, 11, 9) == 6U) {
        if (bits(a, 8, 5) == 2U) { /* VMOV of two words */
            t.cycles = 2U;
        } else if ((bits(a, 8, 8) == 1U) && (bits(a, 5, 5) == 0U)) { /* VLDR, VSTR */
            t.cycles = 2U + bits(b, 8, 8);
        } else {
            t = access_many(4U, bits(b, 7, 0), false);
        }
    } else if (bits(b, 4, 4) == 0U) {
        const unsigned op = (bits(a, 7, 7) << 2) | bits(a, 5, 4);
        if ((op == 0U) || (op == 1U) || (op == 5U) || (op == 6U)) {
            t.cycles = 3U; /* multiply and accumulate */
        } else if (op == 4U) {
            t.cycles = 14U; /* VDIV */
        } else if ((op == 7U) && (bits(a, 3, 0) == 1U) && (bits(b, 7, 6) == 3U)) {
            t.cycles = 14U; /* VSQRT */
        }
    }
    return t;
}

static timing_t timing32(timing_core_t core, unsigned a, unsigned b)
{
    const unsigned group = bits(a, 12, 11);
    timing_t t = plain;

    if (group == 2U) {
        if (bits(b, 15, 15) == 1U) { /* branches; what else is here never jumps */
            t = immediate_branch(4U);
        }
    } else if (bits(a, 10, 10) == 1U) {
        if (bits(b, 11, 9) == 5U) {
            t = fpu_group(a, b);
        }
    } else if (group == 1U) {
        if (bits(a, 9, 9) == 0U) {
            t = memory_group(a, b);
        }
    } else if (bits(a, 9, 9) == 0U) {
        const bool load = bits(a, 4, 4) == 1U;
        t = access_single(4U, load, load && (bits(a, 6, 5) == 2U) && (bits(b, 15, 12) == PC));
        if ((bits(a, 7, 7) == 0U) && (bits(b, 11, 11) == 0U)) {
            t = to_sum(t);
        }
    } else if (bits(a, 8, 8) == 1U) {
        t = multiply_group(core, a, b);
    }
    return t;
}

/* No loads overlap, stores take as long; the M0 has one stage of its pipeline more to refill. */
static timing_t timing_small(timing_core_t core, unsigned first, unsigned second)
{
    const unsigned stages = (core == TIMING_M0) ? 2U : 1U;
    timing_t t = timing16(first);

    if (bits(first, 15, 11) >= 0x1DU) {
        t = plain;
        if ((bits(second, 15, 14) == 3U) && (bits(second, 12, 12) == 1U)) { /* BL */
            t = immediate_branch(4U);
            t.cycles = 2U;
            t.refill = stages;
        } else { /* MRS, MSR, barriers */
            t.cycles = 2U + stages;
        }
    } else if (t.refill != 0U) {
        t.refill = (t.cycles > 1U) ? stages + 1U : stages; /* POP of the pc, or a branch */
    } else if (t.single_load || (t.store != STORE_NONE)) {
        t.cycles = 2U;
    }
    t.single_load = false;
    return t;
}

timing_t timing_of(timing_core_t core, unsigned first, unsigned second)
{
    timing_t t;

    if ((core == TIMING_M0) || (core == TIMING_M0PLUS)) {
        return timing_small(core, first, second);
    }
    t = (bits(first, 15, 11) >= 0x1DU) ? timing32(core, first, second) : timing16(first);
    return (core == TIMING_M55) ? timing_in_beats(t, first, second) : t;
}

int timing_core_named(const char *name, timing_core_t *core)
{
    static const char *const names[] = { [TIMING_NONE] = "none", [TIMING_M0] = "m0",
                                         [TIMING_M0PLUS] = "m0plus", [TIMING_M3] = "m3",
                                         [TIMING_M4] = "m4",   [TIMING_M33] = "m33",
                                         [TIMING_M7] = "m7",   [TIMING_M55] = "m55" };

    for (size_t i = 0U; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *core = (timing_core_t)i;
            return 0;
        }
    }
    return -1;
}
