/* SPDX-License-Identifier: Apache-2.0 */
/* beats.h - cycles on a Cortex-M55, which no table is published of.
 *
 * The model is that of a core that does two of the four beats of a vector instruction in a cycle
 * (Arm 101051 Cortex-M55 TRM; Marsh, Arm Helium Technology, 2020,
 * chapter 3; units and latencies: SLOTHY, cortex_m55r1, which Arm's authors call approximate):
 *   one instruction starts in a cycle; scalar ones take it, two words are loaded or stored in it
 *   a vector instruction keeps its unit (memory, integer, multiply) for two: one more right
 *   behind another of the same unit, none behind one of another, which it overlaps
 *   one more for reading a vector product right behind it
 *   two elements of a gather or scatter in a cycle; the end of a low-overhead loop takes none
 * Left out: when sums in scalar registers are there, elements that lie in one bank of memory,
 * loads right behind stores. */
#ifndef BEATS_H
#define BEATS_H

#include "timing.h"

/** What timing_of() an M4 says of an instruction, its two halfwords; what it is here. */
timing_t timing_in_beats(timing_t scalar, unsigned a, unsigned b);

/** Extra cycles of an instruction right behind another; 0 on other cores. */
unsigned timing_wait(const timing_t *before, const timing_t *now);

#endif
