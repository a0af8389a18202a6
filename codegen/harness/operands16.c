/* SPDX-License-Identifier: Apache-2.0 */
/* operands16.c - registers of 16-bit instructions. Encodings: Armv7-M ARM, section A5.2. */
#include "operands_make.h"

/* A5.2.2: two registers; the first is written, too. */
static operands_t data16(unsigned op)
{
    static const uint16_t compares = (1U << 8) | (1U << 10) | (1U << 11); /* TST, CMP, CMN */
    static const uint16_t shifts = (1U << 2) | (1U << 3) | (1U << 4) | (1U << 7);
    const unsigned what = bits(op, 9, 6);
    const uint64_t to = reg(bits(op, 2, 0));
    const bool one = (what == 9U) || (what == 15U); /* RSB, MVN */
    const bool compare = ((compares >> what) & 1U) != 0U;
    operands_t o = plain(DOES_LOGIC, reg(bits(op, 5, 3)) | (one ? 0U : to),
                         (compare ? 0U : to) | FLAGS);

    if (what == 13U) {
        o.does = DOES_MULTIPLY;
    } else if ((((shifts >> what) & 1U) != 0U) || (what == 9U)) {
        o.does = DOES_MOVE;
    } else if ((what == 5U) || (what == 6U)) { /* ADC, SBC */
        o.read |= FLAGS;
    }
    return o;
}

static operands_t special16(unsigned op)
{
    const unsigned to = (bits(op, 7, 7) << 3) | bits(op, 2, 0);
    const uint64_t from = reg(bits(op, 6, 3));
    operands_t o;

    switch (bits(op, 9, 8)) {
    case 0U:
        o = plain(DOES_MOVE, from | reg(to), reg(to));
        break;
    case 1U:
        o = plain(DOES_LOGIC, from | reg(to), FLAGS);
        break;
    case 2U:
        o = plain(DOES_MOVE, from, reg(to));
        break;
    default:
        o = branch(from, (bits(op, 7, 7) == 1U) ? reg(14U) : 0U);
        break;
    }
    if ((o.written & PROGRAM_COUNTER) != 0U) {
        o.does = DOES_BRANCH;
    }
    return o;
}

static operands_t misc16(unsigned op)
{
    const uint64_t list = bits(op, 7, 0);
    operands_t o = plain(DOES_NOTHING, 0U, 0U);

    if ((bits(op, 10, 10) == 0U) && (bits(op, 8, 8) == 1U)) { /* CBZ, CBNZ */
        o = branch(reg(bits(op, 2, 0)), 0U);
    } else if (bits(op, 11, 8) == 0U) {
        o = plain(DOES_MOVE, reg(13U), reg(13U));
    } else if (bits(op, 11, 9) == 2U) {
        o = access_many(false, 13U, list | ((uint64_t)bits(op, 8, 8) << 14), true);
    } else if (bits(op, 11, 9) == 6U) {
        o = access_many(true, 13U, list | ((uint64_t)bits(op, 8, 8) << 15), true);
    } else if ((bits(op, 11, 8) == 2U) || (bits(op, 11, 8) == 10U)) { /* SXTB .., REV .. */
        o = plain(DOES_EXTEND, reg(bits(op, 5, 3)), reg(bits(op, 2, 0)));
        o.early = o.read;
    }
    return o;
}

static operands_t add16(unsigned op) /* and subtract; or shift */
{
    const bool three = (bits(op, 12, 11) == 3U) && (bits(op, 10, 10) == 0U);

    return plain(DOES_MOVE, reg(bits(op, 5, 3)) | (three ? reg(bits(op, 8, 6)) : 0U),
                 reg(bits(op, 2, 0)) | FLAGS);
}

static operands_t immediate16(unsigned op)
{
    const unsigned what = bits(op, 12, 11);
    const uint64_t to = reg(bits(op, 10, 8));

    return plain((what == 1U) ? DOES_LOGIC : DOES_MOVE, (what == 0U) ? 0U : to,
                 ((what == 1U) ? 0U : to) | FLAGS);
}

static operands_t word16(unsigned op, unsigned base, unsigned rt, unsigned offset)
{
    operands_t o = access_one(bits(op, 11, 11) == 1U, 4U, rt, reg(base));

    o.offset = offset;
    return o;
}

operands_t operands_of_narrow(unsigned op)
{
    static const unsigned sizes[8] = { 4U, 2U, 1U, 1U, 4U, 2U, 1U, 2U };
    const uint64_t base = reg(bits(op, 5, 3));
    const bool load = bits(op, 11, 11) == 1U;

    switch (bits(op, 15, 12)) {
    case 0x0:
    case 0x1:
        return add16(op);
    case 0x2:
    case 0x3:
        return immediate16(op);
    case 0x4:
        if (load) {
            return access_one(true, 4U, bits(op, 10, 8), PROGRAM_COUNTER);
        }
        return (bits(op, 10, 10) == 1U) ? special16(op) : data16(op);
    case 0x5:
        return access_one(bits(op, 11, 9) >= 3U, sizes[bits(op, 11, 9)], bits(op, 2, 0),
                          base | reg(bits(op, 8, 6)));
    case 0x6:
        return word16(op, bits(op, 5, 3), bits(op, 2, 0), 4U * bits(op, 10, 6));
    case 0x7:
        return access_one(load, 1U, bits(op, 2, 0), base);
    case 0x8:
        return access_one(load, 2U, bits(op, 2, 0), base);
    case 0x9:
        return word16(op, 13U, bits(op, 10, 8), 4U * bits(op, 7, 0));
    case 0xA:
        return plain(DOES_MOVE, load ? reg(13U) : 0U, reg(bits(op, 10, 8)));
    case 0xB:
        return misc16(op);
    case 0xC:
        return access_many(load, bits(op, 10, 8), bits(op, 7, 0), true);
    case 0xD:
        return branch(FLAGS, 0U);
    default:
        return branch(0U, 0U);
    }
}
