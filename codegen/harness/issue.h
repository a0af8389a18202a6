/* SPDX-License-Identifier: Apache-2.0 */
/* issue.h - cycles of a Cortex-M33 and a Cortex-M7, which no table is published of.
 *
 * Both start instructions in order; what one waits for is when its operands are there. The rules
 * are those that others measured on chips, all with zero wait states.
 *
 * Cortex-M33 (jnk0le, "pipeline cycle test", cortex_m33: RP2350; Arm KA001260: MULS):
 *   one instruction starts in a cycle, N words of several registers take N, two words two
 *   what is loaded, multiplied, shifted on its way into a sum, or extended into one is there a
 *   cycle later, but at once for the sum that a product adds to, and for what is stored
 *   MULS and sums with a rotated constant that set flags take 2, a division 6
 *   a branch that is not taken takes none right behind a 16-bit instruction if it is one, else 1;
 *   one that is taken takes 2, 1 behind a 16-bit one that sets no flags; one more from memory
 *   IT and NOP take none behind a 16-bit instruction; fused products of floats keep their unit 3
 *
 * Cortex-M7 (jnk0le, "pipeline cycle test", cortex_m7: STM32H743; cm7cycles of quinapalus.com:
 * STM32H730; units as in LLVM's ARMScheduleM7.td):
 *   two instructions start in a cycle unless the second one needs the first one's result, where
 *   additions, subtractions, moves and shifts are forwarded, to sums of products and stores all
 *   no pair: two stores, two products, two of DOES_EXTEND (which starts first), two shifted
 *   operands or one and one of DOES_EXTEND, product and store, two operations of floats, two
 *   branches; two loads unless they are words of one base, an odd number of words apart: only then
 *   it is known that they do not lie in one bank
 *   several registers start alone, two words in a cycle
 *   what is loaded or computed is there in the next cycle, one later for addresses and for what is
 *   shifted or extended first, and from memory to a product; products, bytes and halves another one
 *   branches that are predicted right cost nothing, wrong 8, or 6 with flags set 3 cycles before;
 *   two bits of history each, and the last target of those from registers
 *   a load off a word boundary takes 3 more
 * Left out: how instructions lie in lines of 8 bytes, filled store buffers, caches that miss. */
#ifndef ISSUE_H
#define ISSUE_H

#include "operands.h"
#include "timing.h"

/** Whether cycles of a core are those of a block as it runs, not of its instructions. */
bool issue_models(timing_core_t core);

/** A call starts: nothing runs before it. */
void issue_clear(void);

/** Cycles from the start of the last instruction before a block to that of its last one.
 * start: address of the block; jumped: it does not follow the block before it. */
uint64_t issue_block(timing_core_t core, const operands_t *code, uint64_t count, uint64_t start,
                     bool jumped);

/** The instruction that runs has read off a word boundary: extra cycles. */
uint64_t issue_unaligned(timing_core_t core);

#endif
