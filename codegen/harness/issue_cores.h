/* SPDX-License-Identifier: Apache-2.0 */
/* issue_cores.h - the pipelines behind issue.h. */
#ifndef ISSUE_CORES_H
#define ISSUE_CORES_H

#include <stddef.h>

#include "operands.h"

#define REGISTERS (64U)
#define PREDICTED (512U) /* branches that are remembered */

/** Cycles at which registers are there. */
typedef struct {
    uint64_t now;              /* cycle in which the next instruction may start */
    uint64_t ready[REGISTERS]; /* for most uses */
    uint64_t early[REGISTERS]; /* for addresses, and what is shifted or extended first */
    uint64_t late[REGISTERS];  /* for the sum of a product, and to be stored */
    uint64_t factor[REGISTERS]; /* M7: to be multiplied */
    operands_t last;           /* that started */
    bool paired;               /* it started together with the one before it, or may */
    bool behind_flags;         /* M33: which set flags */
    uint64_t float_free;       /* M33: the unit of floats takes an instruction */
    uint64_t last_address;     /* M7 */
    uint64_t flags_at;         /* M7: when flags were set */
    uint8_t taken[PREDICTED];  /* M7: 0 and 1: not; 2 and 3: it will be; 4 more: it was seen */
    uint32_t target[PREDICTED]; /* M7: where a branch from a register went */
} issue_t;

/** Latest cycle at which some registers are there. */
uint64_t issue_ready(const uint64_t *at, uint64_t registers);

void issue_set(uint64_t *at, uint64_t registers, uint64_t cycle);

/** As words come, so many together in a cycle, from the first one on. */
void issue_set_words(uint64_t *at, uint64_t registers, uint64_t first, uint64_t together);

/** The next instruction starts. */
void issue_m33(issue_t *s, const operands_t *o);
void issue_m7(issue_t *s, const operands_t *o, uint64_t address);

/** The last one, if it was a branch, did jump or did not; target: where execution goes on. */
void issue_m33_branch(issue_t *s, bool jumped);
void issue_m7_branch(issue_t *s, uint64_t target, bool jumped);

#endif
