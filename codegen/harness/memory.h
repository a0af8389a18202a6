/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - what a core waits for the flash that it reads code and constants from.
 *
 * A read brings in some bytes and takes its wait states. Lines of the caches are filled read by
 * read; which line goes is the one that was used least recently, of all. There is one port: the
 * next read starts when the one before has ended. With prefetch, a read for code is followed by
 * the one behind it. Whatever lies at ram or above never waits. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t wait_states;           /* of one read */
    uint64_t read_bytes;            /* power of two from 4; 0: no flash, nothing waits */
    uint64_t line_bytes;            /* power of two, at least read_bytes, at most 32 times that */
    uint64_t code_lines, data_lines; /* of each cache; 0: none */
    uint64_t unified;               /* 1: code_lines are for both */
    uint64_t prefetch;
    uint64_t ram;                   /* first address that is no flash */
} memory_t;

/** Returns 0, or -1 where the description makes no sense or is too large. */
int memory_describe(const memory_t *description);

/** Caches become empty, time starts at 0. */
void memory_clear(void);

/** Time that passes while nothing waits. */
void memory_pass(int64_t cycles);

/** Whether an address is in flash. */
bool memory_is_flash(uint64_t address);

/** Cycles until the instruction, or its part, at an address is there. */
uint64_t memory_fetch(uint64_t address);

/** Cycles until what a load reads at an address is there. */
uint64_t memory_load(uint64_t address);

#endif
