/* SPDX-License-Identifier: Apache-2.0 */
/* board.h - cycles that an instruction takes on a board beside those of its timing table.
 *
 * They have three causes: code that is not there yet, constants that are not, and rules of the
 * pipeline of a Cortex-M4 that the table does not have:
 *   a taken branch to an address in the instruction costs 1 + 1, not 1 + 2;
 *   one more where its target is a wide instruction off a word boundary;
 *   every third such instruction in a row that is no single load or store costs one more;
 *   so do a single load right behind a single store, a store to a sum of registers, and a single
 *   load or store across a word boundary;
 *   neighbouring loads overlap only where both read flash or neither does. */
#ifndef BOARD_H
#define BOARD_H

#include "memory.h"
#include "timing.h"

typedef struct {
    uint64_t address;
    timing_t timing;
    bool overlaps; /* a single load right behind another: one cycle less is in its cycles */
} board_insn_t;

/** mixed is a part of rules: of neighbouring loads from two memories. */
typedef struct {
    int64_t code, constants, rules, mixed;
} board_waits_t;

/** What of a board counts. */
typedef struct {
    memory_t memory;
    uint64_t rules; /* 1: of the pipeline */
} board_t;

/** Returns 0, or -1 where the description makes no sense. */
int board_describe(const board_t *description);

/** A call starts: caches are empty, nothing runs before it. */
void board_clear(void);

/** What runs next does not follow what ran before. */
void board_break(void);

/** An instruction starts; what it waits for. */
board_waits_t board_execute(const board_insn_t *insn);

/** It reads or writes; what it waits for. */
board_waits_t board_access(const board_insn_t *insn, uint64_t address, unsigned bytes, bool store);

#endif
