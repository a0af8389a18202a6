/* SPDX-License-Identifier: 0BSD */
/* hook_dump.c - writes the tensors that a step has made, and tests it: nothing but its
 * output and scratch may be written; spoils what is dead. */
#include "harness.h"

void harness_step(uint32_t step)
{
    harness_compare(step);
    for (uint32_t i = harness_dump_start[step]; i < harness_dump_start[step + 1U]; i++) {
        const uint32_t head[2] = { harness_dumps[i].index, harness_dumps[i].nbytes };
        harness_write(harness_dump_file(), head, (uint32_t)sizeof head);
        harness_write(harness_dump_file(), harness_dumps[i].address, harness_dumps[i].nbytes);
    }
    harness_spoil(step);
    harness_seal(step + 1U);
}
