/* SPDX-License-Identifier: Apache-2.0 */
/* tally.h - sums of what was counted, of functions too. */
#ifndef TALLY_H
#define TALLY_H

#include <stdint.h>
#include <stdio.h>

/** waits: cycles beside those of the timing table, by cause: code, constants, rules, and of
 * these what neighbouring loads from two memories cost. */
typedef struct {
    uint64_t instructions, cycles;
    int64_t waits[4];
} tally_t;

typedef struct {
    uint64_t start;
    char name[128];
    tally_t tally;
} function_t;

/** What ran up to a mark: since the one before it. */
typedef struct {
    uint64_t hits;
    tally_t tally;
} step_t;

/** Adds to a sum. */
void tally_add(tally_t *sum, const tally_t *more);

/** Writes "INSTRUCTIONS CYCLES CODE CONSTANTS RULES MIXED". */
void tally_write(FILE *out, const tally_t *tally);

/** Writes "step K HITS TALLY" of each. */
void steps_write(FILE *out, const step_t *steps, uint64_t count);

/** Reads lines "ADDRESS NAME", ascending; returns 0, or -1 where there is no such file. */
int functions_read(const char *path);

/** The function that an address is in; one that is called "?" where it is in none. */
function_t *function_at(uint64_t address);

void functions_clear(void);

/** Writes "function TALLY NAME" of those that ran. */
void functions_write(FILE *out);

#endif
