/* SPDX-License-Identifier: Apache-2.0 */
/* board.c - waits and pipeline rules, instruction by instruction. */
#include "board.h"

#include <stddef.h>

#define RUN (3U) /* wide instructions off word boundaries, of which the last one costs */

static bool with_rules;
static const board_insn_t *previous;
static unsigned unaligned_run;
static bool last_load_from_flash;

int board_describe(const board_t *description)
{
    with_rules = description->rules != 0U;
    board_clear();
    return memory_describe(&description->memory);
}

void board_clear(void)
{
    memory_clear();
    board_break();
    last_load_from_flash = false;
}

void board_break(void)
{
    previous = NULL;
    unaligned_run = 0U;
}

static bool is_split(const board_insn_t *insn)
{
    return (insn->timing.size == 4U) && ((insn->address & 2U) != 0U);
}

static bool is_single(const board_insn_t *insn)
{
    return insn->timing.single_load || (insn->timing.store != STORE_NONE);
}

static int64_t rules_of(const board_insn_t *insn, bool taken)
{
    const bool split = is_split(insn);
    int64_t cycles = 0;

    if (taken && previous->timing.immediate_branch) {
        cycles--;
    }
    if (taken && split) {
        cycles++;
    }
    if (!split || is_single(insn)) {
        unaligned_run = 0U;
    } else {
        unaligned_run++;
        if (unaligned_run == RUN) {
            unaligned_run = 0U;
            cycles++;
        }
    }
    if ((previous != NULL) && !taken && (previous->timing.store != STORE_NONE) &&
        insn->timing.single_load) {
        cycles++;
    }
    if (insn->timing.store == STORE_TO_SUM) {
        cycles++;
    }
    return cycles;
}

board_waits_t board_execute(const board_insn_t *insn)
{
    const bool taken =
        (previous != NULL) && (previous->address + previous->timing.size != insn->address);
    board_waits_t waits = { 0, 0, 0, 0 };

    if (taken) {
        memory_pass((int64_t)previous->timing.refill);
    }
    if (with_rules) {
        waits.rules = rules_of(insn, taken);
        memory_pass(waits.rules);
    }
    if (memory_is_flash(insn->address)) {
        waits.code = (int64_t)memory_fetch(insn->address);
        if (is_split(insn)) {
            waits.code += (int64_t)memory_fetch(insn->address + 2U);
        }
    }
    memory_pass((int64_t)insn->timing.cycles - (insn->overlaps ? 1 : 0));
    previous = insn;
    return waits;
}

board_waits_t board_access(const board_insn_t *insn, uint64_t address, unsigned bytes, bool store)
{
    const bool in_flash = memory_is_flash(address);
    board_waits_t waits = { 0, 0, 0, 0 };

    if (with_rules && is_single(insn) && ((address & 3U) + bytes > 4U)) {
        waits.rules++;
    }
    if (!store) {
        if (with_rules && insn->overlaps && (in_flash != last_load_from_flash)) {
            waits.rules++;
            waits.mixed++;
        }
        last_load_from_flash = in_flash;
    }
    memory_pass(waits.rules);
    if (!store && in_flash) {
        waits.constants = (int64_t)memory_load(address);
    }
    return waits;
}
