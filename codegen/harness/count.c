/* SPDX-License-Identifier: Apache-2.0 */
/* count.c - QEMU plugin: instructions and estimated cycles of each call of a function.
 *
 * Arguments (NAME=VALUE, addresses in any base):
 *   begin, end          a call lasts from the block that starts at begin to the one at end
 *   begin2, begin3      other blocks with which a call starts
 *   core                m0, m0plus, m3, m4, m33, m7, m55 or none: whose timings; none counts
 *                       instructions only
 *   hook, hook_end      code of the step hook: left out of the counts
 *   marks, steps        the hook reads byte marks + K when step K of `steps` has ended
 *   symbols             file of lines "ADDRESS NAME", ascending: the functions to attribute to
 *   out                 file to write
 * Of a board, all 0 where they are not given:
 *   wait_states, read_bytes, line_bytes, code_lines, data_lines, unified, prefetch, ram
 *                       the flash memory, see memory.h
 *   rules               1: rules of the pipeline that no timing table has, see board.h
 * Written per call, a TALLY being INSTRUCTIONS CYCLES CODE CONSTANTS RULES MIXED:
 *   call TALLY
 *   step K HITS TALLY         since the mark before it; K == steps: behind the last
 *   function TALLY NAME */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beats.h"
#include "board.h"
#include "issue.h"
#include "plugin.h"
#include "tally.h"
#include "timing.h"

/* What one translated block costs, worked out once. */
typedef struct {
    uint64_t start, next; /* next: where execution continues unless the block jumps */
    uint64_t instructions, cycles;
    unsigned refill; /* extra cycles when it does jump */
    timing_t first, last; /* but a last one that takes no cycle */
    operands_t *code; /* of cores that issue.h models, whose cycles are not here */
    bool in_hook;
    function_t *function;
} block_t;

/* An instruction on a board. */
typedef struct {
    board_insn_t insn;
    const block_t *block;
} placed_t;

static uint64_t begin_at[3], end_at, hook_at, hook_end, marks_at, step_count;
static timing_core_t core = TIMING_NONE;
static board_t board;
static FILE *out;

static bool counting;
static const block_t *previous; /* last counted block, NULL where its end does not matter */
static tally_t call, segment;   /* segment: since the last mark */
static step_t *steps;           /* step_count + 1 of them */

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv);

static void add(function_t *function, const tally_t *more)
{
    tally_add(&call, more);
    tally_add(&segment, more);
    tally_add(&function->tally, more);
}

static void close_segment(uint64_t step)
{
    steps[step].hits++;
    tally_add(&steps[step].tally, &segment);
    segment = (tally_t){ 0 };
}

static void end_call(void)
{
    counting = false;
    close_segment(step_count);
    (void)fputs("call ", out);
    tally_write(out, &call);
    (void)fputc('\n', out);
    steps_write(out, steps, step_count + 1U);
    functions_write(out);
    (void)fflush(out);
}

static void begin_call(void)
{
    counting = true;
    previous = NULL;
    call = segment = (tally_t){ 0 };
    memset(steps, 0, (size_t)(step_count + 1U) * sizeof *steps);
    functions_clear();
    board_clear();
    issue_clear();
}

static void on_block(unsigned vcpu, void *userdata)
{
    const block_t *const block = userdata;
    tally_t more = { block->instructions, block->cycles, { 0 } };

    (void)vcpu;
    if (!counting) {
        if ((block->start != begin_at[0]) && (block->start != begin_at[1]) &&
            (block->start != begin_at[2])) {
            return;
        }
        begin_call();
    }
    if ((previous != NULL) && (previous->next != block->start)) {
        const tally_t refill = { 0U, previous->refill, { 0 } };
        add(previous->function, &refill);
    }
    if (block->start == end_at) {
        end_call();
        return;
    }
    if (block->in_hook) {
        previous = NULL;
        board_break();
        return;
    }
    if (block->code != NULL) {
        const bool jumped = (previous == NULL) || (previous->next != block->start);
        more.cycles = issue_block(core, block->code, block->instructions, block->start, jumped);
    } else if (previous != NULL) { /* a block may end at a page end, too */
        more.cycles += timing_wait(&previous->last, &block->first);
        more.cycles -= (previous->next == block->start) && previous->last.single_load &&
                       block->first.single_load;
    }
    add(block->function, &more);
    previous = block;
}

static void on_mark(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *userdata)
{
    (void)vcpu;
    (void)info;
    (void)userdata;
    if (counting && (address >= marks_at) && (address < marks_at + step_count)) {
        close_segment(address - marks_at);
    }
}

static void add_waits(const placed_t *placed, board_waits_t waits)
{
    if ((waits.code != 0) || (waits.constants != 0) || (waits.rules != 0)) {
        const tally_t more = { 0U, 0U, { waits.code, waits.constants, waits.rules, waits.mixed } };
        add(placed->block->function, &more);
    }
}

static void on_instruction(unsigned vcpu, void *userdata)
{
    const placed_t *const placed = userdata;

    (void)vcpu;
    if (counting) {
        add_waits(placed, board_execute(&placed->insn));
    }
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *userdata)
{
    const placed_t *const placed = userdata;

    (void)vcpu;
    if (counting) {
        const unsigned bytes = 1U << qemu_plugin_mem_size_shift(info);
        const bool store = qemu_plugin_mem_is_store(info);
        if (!store && ((address & (bytes - 1U)) != 0U)) {
            const tally_t more = { 0U, issue_unaligned(core), { 0 } };
            add(placed->block->function, &more);
        }
        add_waits(placed, board_access(&placed->insn, address, bytes, store));
    }
}

static void place(struct qemu_plugin_insn *insn, const block_t *block, timing_t t, bool overlaps)
{
    placed_t *const placed = plugin_allocate(1U, sizeof *placed);

    placed->insn = (board_insn_t){ qemu_plugin_insn_vaddr(insn), t, overlaps };
    placed->block = block;
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_instruction, QEMU_PLUGIN_CB_NO_REGS, placed);
    qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                     placed);
}

static void translate(struct qemu_plugin_tb *tb)
{
    block_t *const block = plugin_allocate(1U, sizeof *block);

    block->start = qemu_plugin_tb_vaddr(tb);
    block->instructions = qemu_plugin_tb_n_insns(tb);
    block->in_hook = (block->start >= hook_at) && (block->start < hook_end);
    block->function = function_at(block->start);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
    if (issue_models(core)) {
        block->code = plugin_allocate((size_t)block->instructions, sizeof *block->code);
    }
    for (size_t i = 0U; i < block->instructions; i++) {
        struct qemu_plugin_insn *const insn = qemu_plugin_tb_get_insn(tb, i);
        const plugin_opcode_t opcode = plugin_opcode(insn);
        const timing_t t = timing_of(core, opcode.first, opcode.second);
        const bool overlaps = t.single_load && block->last.single_load;

        block->cycles += t.cycles - (overlaps ? 1U : 0U) + timing_wait(&block->last, &t);
        block->first = (i == 0U) ? t : block->first;
        block->last = (t.cycles > 0U) ? t : block->last;
        block->refill = t.refill;
        if (block->code != NULL) {
            block->code[i] = operands_of(opcode.first, opcode.second);
            block->refill = 0U;
        }
        block->next = qemu_plugin_insn_vaddr(insn) + t.size;
        if (block->in_hook) { /* reads and writes: QEMU 7.2 mistakes a wish for reads alone */
            qemu_plugin_register_vcpu_mem_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS,
                                             QEMU_PLUGIN_MEM_RW, NULL);
        } else if ((board.memory.read_bytes != 0U) || (board.rules != 0U) || (core == TIMING_M7)) {
            place(insn, block, t, overlaps);
        }
    }
}

static void finish(void)
{
    (void)fclose(out);
}

static int take_argument(const char *argument)
{
    static const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {
        { "begin=", &begin_at[0] },
        { "begin2=", &begin_at[1] },
        { "begin3=", &begin_at[2] },
        { "end=", &end_at },
        { "hook=", &hook_at },
        { "hook_end=", &hook_end },
        { "marks=", &marks_at },
        { "steps=", &step_count },
        { "wait_states=", &board.memory.wait_states },
        { "read_bytes=", &board.memory.read_bytes },
        { "line_bytes=", &board.memory.line_bytes },
        { "code_lines=", &board.memory.code_lines },
        { "data_lines=", &board.memory.data_lines },
        { "unified=", &board.memory.unified },
        { "prefetch=", &board.memory.prefetch },
        { "ram=", &board.memory.ram },
        { "rules=", &board.rules },
    };
    const char *const value = strchr(argument, '=');

    for (size_t i = 0U; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strncmp(argument, numbers[i].name, strlen(numbers[i].name)) == 0) {
            *numbers[i].value = strtoull(value + 1, NULL, 0);
            return 0;
        }
    }
    if (strncmp(argument, "core=", 5U) == 0) {
        return timing_core_named(value + 1, &core);
    }
    if (strncmp(argument, "symbols=", 8U) == 0) {
        return functions_read(value + 1);
    }
    if (strncmp(argument, "out=", 4U) == 0) {
        out = fopen(value + 1, "w");
        return (out != NULL) ? 0 : -1;
    }
    return -1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (take_argument(argv[i]) != 0) {
            (void)fprintf(stderr, "count: cannot use argument %s\n", argv[i]);
            return -1;
        }
    }
    steps = calloc((size_t)step_count + 1U, sizeof *steps);
    if ((out == NULL) || (steps == NULL)) {
        (void)fprintf(stderr, "count: no output file given\n");
        return -1;
    }
    if (board_describe(&board) != 0) {
        (void)fprintf(stderr, "count: no such flash memory\n");
        return -1;
    }
    plugin_begin(id, translate, finish);
    return 0;
}
