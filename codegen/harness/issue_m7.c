/* SPDX-License-Identifier: Apache-2.0 */
/* issue_m7.c - two instructions in a cycle, and branches that are predicted; see issue.h. */
#include "issue_cores.h"

#define DIVIDE (6U)
#define FUSED (3U)
#define LONG_FLOAT (14U)
#define WRONG (8U)
#define WRONG_EARLY_FLAGS (6U)
#define EARLY (3U) /* cycles from the flags to the branch */
#define SEEN (4U)

static bool both(const operands_t *a, const operands_t *b, does_t does)
{
    return (a->does == does) && (b->does == does);
}

static bool either(const operands_t *a, const operands_t *b, does_t one, does_t other)
{
    return ((a->does == one) && (b->does == other)) || ((a->does == other) && (b->does == one));
}

static bool floats(const operands_t *o)
{
    return (o->does == DOES_FLOAT) || (o->does == DOES_FUSED) || (o->does == DOES_LONG_FLOAT);
}

static bool alone(const operands_t *o)
{
    return (o->does == DOES_MANY) || (o->does == DOES_DIVIDE) || (o->does == DOES_LONG_FLOAT);
}

/* Loads of words that are known to lie in two banks. */
static bool in_two_banks(const operands_t *a, const operands_t *b)
{
    return (a->early == b->early) && (a->bytes == 4U) && (b->bytes == 4U) &&
           (a->moved == 0U) && (((a->offset ^ b->offset) & 4U) != 0U);
}

/* Whether the pipelines take both in one cycle, whatever registers they use. */
static bool fits(const operands_t *a, const operands_t *b)
{
    const bool memory = (a->does == DOES_LOAD) || (a->does == DOES_STORE) ||
                        (b->does == DOES_LOAD) || (b->does == DOES_STORE);

    return !(alone(a) || alone(b) || both(a, b, DOES_STORE) ||
             (both(a, b, DOES_LOAD) && !in_two_banks(a, b)) ||
             both(a, b, DOES_MULTIPLY) || both(a, b, DOES_SHIFTED) || both(a, b, DOES_BRANCH) ||
             (b->does == DOES_EXTEND) || (floats(a) && floats(b)) ||
             either(a, b, DOES_MULTIPLY, DOES_STORE) || either(a, b, DOES_EXTEND, DOES_SHIFTED) ||
             (memory && ((a->does == DOES_FUSED) || (b->does == DOES_FUSED))));
}

/* Whether what the first one writes is there for the second one in the same cycle. */
static bool forwards(const operands_t *a, const operands_t *b)
{
    const uint64_t guessed = (b->does == DOES_BRANCH) ? FLAGS : 0U; /* until they are there */
    const uint64_t needed = a->written & b->read & ~guessed;
    const uint64_t soon = (a->does == DOES_MOVE) ? (b->early | (b->read & FLAGS)) : b->read;

    return ((needed & soon & ~b->late) == 0U) && ((a->moved & b->read) == 0U) &&
           ((a->written & b->written & ~FLAGS) == 0U) &&
           ((a->does != DOES_MULTIPLY) || ((needed & b->late) == 0U)) &&
           ((b->does != DOES_MULTIPLY) || (a->does != DOES_LOAD) || (needed == 0U));
}

static uint64_t latest(uint64_t a, uint64_t b)
{
    return (a > b) ? a : b;
}

static uint64_t cycles_of(const operands_t *o)
{
    switch (o->does) {
    case DOES_MANY:
        return (o->words + 1U) / 2U;
    case DOES_DIVIDE:
        return DIVIDE;
    case DOES_LONG_FLOAT:
        return LONG_FLOAT;
    default:
        return 1U;
    }
}

/* When results are there: behind the cycle in which others start. */
static void set_results(issue_t *s, const operands_t *o, uint64_t at)
{
    const uint64_t next = at + cycles_of(o);
    uint64_t more = 0U;

    if ((o->does == DOES_MULTIPLY) || ((o->does == DOES_LOAD) && (o->bytes < 4U))) {
        more = 1U;
    } else if (floats(o)) {
        more = (o->does == DOES_FUSED) ? (FUSED - 1U) : 2U;
    }
    issue_set(s->ready, o->written, next + more);
    issue_set(s->factor, o->written, next + more + ((o->does == DOES_LOAD) ? 1U : 0U));
    issue_set(s->early, o->written, next + more + ((o->does == DOES_MOVE) ? 0U : 1U));
    issue_set(s->late, o->written, (floats(o)) ? (next + more) : next);
    if (o->does == DOES_MANY) {
        issue_set_words(s->ready, o->written, at + 1U, 2U);
        issue_set_words(s->factor, o->written, at + 2U, 2U);
        issue_set_words(s->early, o->written, at + 2U, 2U);
        issue_set_words(s->late, o->written, at + 1U, 2U);
    }
    issue_set(s->ready, o->moved, next);
    issue_set(s->factor, o->moved, next);
    issue_set(s->early, o->moved, next);
    issue_set(s->late, o->moved, next);
    if ((o->written & FLAGS) != 0U) {
        s->flags_at = at;
    }
}

/* When all is there that an instruction reads, of some registers. */
static uint64_t there(const issue_t *s, const operands_t *o, uint64_t registers)
{
    const uint64_t usual = o->read & ~(o->early | o->late | FLAGS) & registers;
    const uint64_t *const at = (o->does == DOES_MULTIPLY) ? s->factor : s->ready;

    return latest(issue_ready(at, usual), latest(issue_ready(s->early, o->early & registers),
                                                 issue_ready(s->late, o->late & registers)));
}

void issue_m7(issue_t *s, const operands_t *o, uint64_t address)
{
    const uint64_t started = s->now - 1U; /* cycle of the last one, if it can be one of a pair */
    const bool pairs = !s->paired && (s->last.size != 0U) && fits(&s->last, o) &&
                       forwards(&s->last, o) && (there(s, o, ~s->last.written) <= started);
    const uint64_t at = pairs ? started : latest(s->now, there(s, o, ~UINT64_C(0)));

    s->paired = pairs;
    set_results(s, o, at);
    s->now = at + cycles_of(o);
    s->last = *o;
    s->last_address = address;
}

void issue_m7_branch(issue_t *s, uint64_t target, bool jumped)
{
    const size_t k = (size_t)((s->last_address >> 1) % PREDICTED);
    const bool back = target < s->last_address;
    bool right;

    if ((s->last.written & PROGRAM_COUNTER) == 0U) {
        return;
    }
    if ((s->last.read & ~FLAGS) != 0U) { /* from a register or memory; CBZ, which looks alike */
        const uint32_t seen = s->target[k];

        right = (seen == 0U) || (seen == (uint32_t)target);
        s->target[k] = (uint32_t)target;
    } else if ((s->last.read & FLAGS) != 0U) {
        uint8_t taken = s->taken[k];

        if (taken < SEEN) {
            taken = (jumped && back) ? (SEEN + 2U) : (SEEN + 1U);
        }
        right = (taken >= (SEEN + 2U)) == jumped;
        if (jumped && (taken < (SEEN + 3U))) {
            taken++;
        } else if (!jumped && (taken > SEEN)) {
            taken--;
        }
        s->taken[k] = taken;
    } else {
        right = true;
    }
    if (!right) {
        s->now += ((s->now - s->flags_at) > EARLY) ? WRONG_EARLY_FLAGS : WRONG;
    }
    if (jumped || !right) {
        s->last.size = 0U; /* what comes next starts by itself */
        s->paired = true;
    }
}
