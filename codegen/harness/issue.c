/* SPDX-License-Identifier: Apache-2.0 */
/* issue.c - when each instruction of a block starts. */
#include "issue.h"
#include "issue_cores.h"

#include <string.h>

static issue_t state;

bool issue_models(timing_core_t core)
{
    return (core == TIMING_M33) || (core == TIMING_M7);
}

void issue_clear(void)
{
    memset(&state, 0, sizeof state);
}

uint64_t issue_ready(const uint64_t *at, uint64_t registers)
{
    uint64_t latest = 0U;

    while (registers != 0U) {
        const unsigned k = (unsigned)__builtin_ctzll(registers);
        latest = (at[k] > latest) ? at[k] : latest;
        registers &= registers - 1U;
    }
    return latest;
}

void issue_set(uint64_t *at, uint64_t registers, uint64_t cycle)
{
    while (registers != 0U) {
        at[__builtin_ctzll(registers)] = cycle;
        registers &= registers - 1U;
    }
}

void issue_set_words(uint64_t *at, uint64_t registers, uint64_t first, uint64_t together)
{
    uint64_t word = 0U;

    while (registers != 0U) {
        at[__builtin_ctzll(registers)] = first + (word / together);
        registers &= registers - 1U;
        word++;
    }
}

uint64_t issue_block(timing_core_t core, const operands_t *code, uint64_t count, uint64_t start,
                     bool jumped)
{
    const uint64_t before = state.now;
    uint64_t address = start;

    if (core == TIMING_M33) {
        issue_m33_branch(&state, jumped);
    } else {
        issue_m7_branch(&state, start, jumped);
    }
    for (uint64_t k = 0U; k < count; k++) {
        if (core == TIMING_M33) {
            issue_m33(&state, &code[k]);
        } else {
            issue_m7(&state, &code[k], address);
        }
        address += code[k].size;
    }
    return state.now - before;
}

uint64_t issue_unaligned(timing_core_t core)
{
    const uint64_t cycles = (core == TIMING_M7) ? 3U : 0U;

    state.now += cycles;
    return cycles;
}
