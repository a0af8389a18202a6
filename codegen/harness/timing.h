/* SPDX-License-Identifier: Apache-2.0 */
/* timing.h - cycles of one Thumb instruction on cores whose manual publishes a table.
 *
 * Zero wait states, no contention; the pipeline refill P of a taken branch (1 to 3 cycles) counts
 * as 2, division (2 to 12) as 6. Multiplication takes an M0 or M0+ one cycle: the other choice
 * that a chip's maker has is 32. */
#ifndef TIMING_H
#define TIMING_H

#include <stdbool.h>
#include <stdint.h>

/** Whose table: Cortex-M0 TRM r0p0, M0+ r0p1, M3 r2p1, M4 r0p1, all section 3.3. */
typedef enum {
    TIMING_NONE,
    TIMING_M0,
    TIMING_M0PLUS,
    TIMING_M3,
    TIMING_M4,
    TIMING_M33, /* which have none: issue.h */
    TIMING_M7,
    TIMING_M55 /* beats.h */
} timing_core_t;

/** What a vector instruction keeps busy. */
typedef enum { UNIT_NONE, UNIT_MEMORY, UNIT_INTEGER, UNIT_MULTIPLY } timing_unit_t;

/** Single stores: of one register, and how their address is made. */
typedef enum { STORE_NONE, STORE_TO_OFFSET, STORE_TO_SUM } timing_store_t;

typedef struct {
    unsigned size;         /* bytes, 2 or 4 */
    unsigned cycles;       /* not counting a pipeline refill */
    unsigned refill;       /* extra cycles when execution continues elsewhere */
    bool single_load;      /* one cycle less right behind another single load */
    timing_store_t store;  /* STORE_TO_SUM: to a register plus another one */
    bool immediate_branch; /* to an address that stands in the instruction */
    timing_unit_t unit;    /* of a vector instruction */
    unsigned read;         /* bit N: vector N is read */
    unsigned product;      /* bit N: vector N is written by a multiplication */
} timing_t;

/** first, second: halfwords of the instruction; second is not used by a 16-bit one. */
timing_t timing_of(timing_core_t core, unsigned first, unsigned second);

/** Finds a core by the name of its enumerator in small letters; returns 0, or -1: there is none. */
int timing_core_named(const char *name, timing_core_t *core);

#endif
