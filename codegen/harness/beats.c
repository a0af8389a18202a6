/* SPDX-License-Identifier: Apache-2.0 */
/* beats.c - vector instructions, as deep as the model in beats.h needs them. */
#include "beats.h"

#define REFILL (2U)
#define DIVIDE (6U)
#define PC (15U)

static const timing_t plain = { .size = 4U, .cycles = 1U };

static unsigned bits(unsigned word, unsigned high, unsigned low)
{
    return (word >> low) & ((1U << (high - low + 1U)) - 1U);
}

static unsigned vector_at(unsigned word, unsigned high)
{
    return 1U << bits(word, high, high - 2U);
}

/* Multiplications among vector instructions on registers: Armv8-M ARM, section C2.2. */
static bool multiplies(unsigned a, unsigned b)
{
    const unsigned op = bits(b, 11, 8);
    bool result;

    if (bits(a, 8, 8) == 1U) { /* VMUL, VQDMULH, VFMA, VMUL of floats; others have immediates */
        result = (bits(a, 7, 7) == 0U) && ((op == 9U) || (op == 11U) || (op >= 12U));
    } else if (bits(a, 7, 7) == 1U) { /* VMLADAV, VMLALDAV; VADDV and shifts are not */
        result = (op >= 14U) && (bits(b, 7, 6) == 0U) && (bits(b, 0, 0) == 0U) &&
                 ((bits(a, 6, 4) != 7U) || (op == 14U) || (bits(a, 0, 0) == 0U));
    } else { /* VMULH, VMULL, VMLA by a scalar; VQMOVN, VSHL by a scalar are not */
        result = (op == 14U) &&
                 ((bits(a, 5, 4) != 3U) || ((bits(b, 6, 6) == 1U) && (bits(b, 5, 5) == 0U)));
    }
    return result;
}

/* An instruction on vectors; those that move scalars or say which lanes count take one cycle. */
static timing_t on_vectors(unsigned a, unsigned b)
{
    const bool lanes = (bits(a, 11, 4) == 0xE7U) && (bits(b, 11, 0) == 0xF4DU); /* VPST */
    timing_t t = plain;

    if (bits(a, 11, 9) == 6U) {
        const bool gather = ((bits(a, 8, 5) & 9U) == 0U) && (bits(b, 12, 12) == 0U);

        t.unit = UNIT_MEMORY;
        t.read = (bits(a, 4, 4) == 0U) ? vector_at(b, 15) : 0U;
        t.cycles = gather ? ((8U >> bits(b, 8, 7)) - 1U) : 1U;
    } else if (!lanes) {
        const bool product = multiplies(a, b);
        const bool narrows = !product && (bits(a, 8, 7) == 0U) && (bits(b, 11, 8) == 14U);

        t.unit = product ? UNIT_MULTIPLY : UNIT_INTEGER;
        t.read = narrows ? vector_at(b, 15) : vector_at(a, 3);
        t.read |= vector_at(b, ((bits(a, 8, 7) | bits(~b, 6, 6)) != 0U) ? 3U : 15U);
        t.product = (product && (bits(a, 8, 7) != 1U)) ? vector_at(b, 15) : 0U;
    }
    return t;
}

timing_t timing_in_beats(timing_t scalar, unsigned a, unsigned b)
{
    const bool wide = bits(a, 15, 11) >= 0x1DU;
    timing_t t = scalar;

    if (wide && (bits(a, 11, 10) == 3U) && (bits(a, 15, 5) != 0x760U) &&
        ((bits(b, 11, 9) != 5U) || (bits(a, 8, 8) == 1U))) {
        t = on_vectors(a, b);
    } else if (wide && (bits(a, 15, 7) == 0x1E0U) && (bits(b, 15, 14) == 3U)) {
        t = plain; /* DLS; WLS may jump; LE is done beside the last of its loop */
        t.refill = (bits(b, 13, 13) == 0U) && (bits(a, 3, 0) != PC) ? REFILL : 0U;
        t.cycles = (bits(b, 13, 13) == 0U) && (bits(a, 3, 0) == PC) ? 0U : 1U;
    } else if (t.single_load) {
        t.cycles = 1U;
    } else if (t.cycles > 1U) {
        t.cycles = (t.cycles == DIVIDE) ? DIVIDE : (t.cycles / 2U);
    }
    t.single_load = false;
    t.store = STORE_NONE;
    return t;
}

unsigned timing_wait(const timing_t *before, const timing_t *now)
{
    const bool busy = (now->unit != UNIT_NONE) && (now->unit == before->unit);

    return (busy || ((before->product & now->read) != 0U)) ? 1U : 0U;
}
