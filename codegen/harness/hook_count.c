/* SPDX-License-Identifier: 0BSD */
/* hook_count.c - tells the counting plugin which step has ended, and tests it: nothing but
 * its output and scratch may be written; spoils what is dead.
 *
 * The plugin cannot read registers, but it sees the address of a load: one byte per step. It
 * leaves this function out of its counts. */
#include "harness.h"

void harness_step(uint32_t step)
{
    (void)harness_marks[step];
    harness_compare(step);
    harness_spoil(step);
    harness_seal(step + 1U);
}
