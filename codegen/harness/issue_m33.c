/* SPDX-License-Identifier: Apache-2.0 */
/* issue_m33.c - one instruction in a cycle; see issue.h. */
#include "issue_cores.h"

#define DIVIDE (6U)
#define FUSED (3U)
#define LONG_FLOAT (14U)

static bool is_float(const operands_t *o)
{
    return ((o->does == DOES_FLOAT) || (o->does == DOES_FUSED) || (o->does == DOES_LONG_FLOAT) ||
            (((o->read | o->written) >> 32) != 0U));
}

static bool folds(const issue_t *s, const operands_t *o)
{
    return (o->size == 2U) && (s->last.size == 2U) && (s->last.does != DOES_BRANCH) &&
           (s->last.does != DOES_NOTHING);
}

static uint64_t cycles_of(const issue_t *s, const operands_t *o)
{
    const bool flags = (o->written & FLAGS) != 0U;

    switch (o->does) {
    case DOES_MANY:
        return o->words;
    case DOES_DIVIDE:
        return DIVIDE;
    case DOES_LONG_FLOAT:
        return LONG_FLOAT;
    case DOES_MULTIPLY:
        return (flags && (o->size == 2U)) ? 2U : 1U;
    case DOES_SHIFTED:
        return (flags && (o->early == 0U) && (o->written != FLAGS)) ? 2U : 1U;
    case DOES_NOTHING:
        return folds(s, o) ? 0U : 1U;
    case DOES_BRANCH:
        return 0U; /* when it is known where it goes */
    default:
        return 1U;
    }
}

static bool is_slow(const operands_t *o)
{
    const bool added = (o->does == DOES_EXTEND) && ((o->read & ~o->early) != 0U);

    return added || (o->does == DOES_MULTIPLY) || (o->does == DOES_SHIFTED) ||
           (o->does == DOES_LOAD);
}

void issue_m33(issue_t *s, const operands_t *o)
{
    uint64_t at = issue_ready(s->ready, o->read & ~o->late);
    const uint64_t sum = issue_ready(s->late, o->late);
    uint64_t cycles;
    uint64_t there;

    at = (sum > at) ? sum : at;
    at = (s->now > at) ? s->now : at;
    if (is_float(o)) {
        at = (s->float_free > at) ? s->float_free : at;
        s->float_free = at + ((o->does == DOES_FUSED) ? FUSED : 1U);
    }
    cycles = cycles_of(s, o);
    there = at + cycles;
    issue_set(s->ready, o->written, there + (is_slow(o) ? 1U : 0U));
    issue_set(s->late, o->written, there);
    if (o->does == DOES_MANY) {
        issue_set_words(s->ready, o->written, at + 2U, 1U);
        issue_set_words(s->late, o->written, at + 1U, 1U);
    } else if (o->does == DOES_FUSED) {
        issue_set(s->ready, o->written, at + FUSED);
        issue_set(s->late, o->written, at + FUSED);
    }
    issue_set(s->ready, o->moved, at + 1U);
    issue_set(s->late, o->moved, at + 1U);
    if ((o->does == DOES_BRANCH) || ((o->written & PROGRAM_COUNTER) != 0U)) {
        s->paired = folds(s, o); /* with what came before it */
        s->behind_flags = (s->last.written & FLAGS) != 0U;
    }
    s->now = there;
    s->last = *o;
}

void issue_m33_branch(issue_t *s, bool jumped)
{
    if ((s->last.written & PROGRAM_COUNTER) != 0U) {
        if (s->last.does != DOES_BRANCH) { /* from memory */
            s->now += 3U;
        } else if (jumped) {
            s->now += (s->paired && !s->behind_flags) ? 1U : 2U;
        } else {
            s->now += s->paired ? 0U : 1U;
        }
        s->last.size = 4U; /* nothing pairs with it */
    }
}
