/* SPDX-License-Identifier: Apache-2.0 */
/* count.c - QEMU plugin: instructions and estimated cycles of each call of a function.
 *
 * Arguments (NAME=VALUE, addresses in any base):
 *   begin, end          a call lasts from the block that starts at begin to the one at end
 *   begin2, begin3      other blocks with which a call starts
 *   core                m3, m4 or none: whose timing table; none counts instructions only
 *   hook, hook_end      code of the step hook: left out of the counts
 *   marks, steps        the hook reads byte marks + K when step K of `steps` has ended
 *   symbols             file of lines "ADDRESS NAME", ascending: the functions to attribute to
 *   out                 file to write
 * Written per call:
 *   call INSTRUCTIONS CYCLES
 *   step K HITS INSTRUCTIONS CYCLES        since the mark before it; K == steps: behind the last
 *   function INSTRUCTIONS CYCLES NAME */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"
#include "timing.h"

typedef struct {
    uint64_t hits, instructions, cycles;
} tally_t;

typedef struct {
    uint64_t start;
    char name[128];
    tally_t tally;
} function_t;

/* What one translated block costs, worked out once. */
typedef struct {
    uint64_t start, next; /* next: where execution continues unless the block jumps */
    uint64_t instructions, cycles;
    unsigned refill; /* extra cycles when it does jump */
    bool begins_with_load, ends_with_load;
    bool in_hook;
    function_t *function;
} block_t;

static uint64_t begin_at[3], end_at, hook_at, hook_end, marks_at, step_count;
static timing_core_t core = TIMING_NONE;
static function_t *functions;
static size_t function_count;
static function_t elsewhere = { .name = "?" };
static FILE *out;

static bool counting;
static const block_t *previous; /* last counted block, NULL where its end does not matter */
static tally_t call, segment;   /* segment: since the last mark */
static tally_t *steps;          /* step_count + 1 of them */

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv);

static function_t *function_at(uint64_t address)
{
    size_t low = 0U;
    size_t high = function_count;

    while (low < high) {
        const size_t middle = (low + high) / 2U;
        if (functions[middle].start <= address) {
            low = middle + 1U;
        } else {
            high = middle;
        }
    }
    return (low > 0U) ? &functions[low - 1U] : &elsewhere;
}

static void add(function_t *function, uint64_t instructions, uint64_t cycles)
{
    tally_t *const all[3] = { &call, &segment, &function->tally };

    for (size_t i = 0U; i < 3U; i++) {
        all[i]->instructions += instructions;
        all[i]->cycles += cycles;
    }
}

static void close_segment(uint64_t step)
{
    steps[step].hits++;
    steps[step].instructions += segment.instructions;
    steps[step].cycles += segment.cycles;
    segment = (tally_t){ 0U, 0U, 0U };
}

static void write_tally(const char *what, const char *name, const tally_t *t)
{
    (void)fprintf(out, "%s %" PRIu64 " %" PRIu64 "%s%s\n", what, t->instructions, t->cycles,
                  (name[0] != '\0') ? " " : "", name);
}

static void end_call(void)
{
    counting = false;
    close_segment(step_count);
    write_tally("call", "", &call);
    for (uint64_t k = 0U; k <= step_count; k++) {
        (void)fprintf(out, "step %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", k,
                      steps[k].hits, steps[k].instructions, steps[k].cycles);
    }
    for (size_t i = 0U; i < function_count; i++) {
        if (functions[i].tally.instructions != 0U) {
            write_tally("function", functions[i].name, &functions[i].tally);
        }
    }
    if (elsewhere.tally.instructions != 0U) {
        write_tally("function", elsewhere.name, &elsewhere.tally);
    }
    (void)fflush(out);
}

static void begin_call(void)
{
    counting = true;
    previous = NULL;
    call = segment = elsewhere.tally = (tally_t){ 0U, 0U, 0U };
    memset(steps, 0, (size_t)(step_count + 1U) * sizeof *steps);
    for (size_t i = 0U; i < function_count; i++) {
        functions[i].tally = call;
    }
}

static void on_block(unsigned vcpu, void *userdata)
{
    const block_t *const block = userdata;
    uint64_t cycles = block->cycles;

    (void)vcpu;
    if (!counting) {
        if ((block->start != begin_at[0]) && (block->start != begin_at[1]) &&
            (block->start != begin_at[2])) {
            return;
        }
        begin_call();
    }
    if ((previous != NULL) && (previous->next != block->start)) {
        add(previous->function, 0U, previous->refill);
    }
    if (block->start == end_at) {
        end_call();
        return;
    }
    if (block->in_hook) {
        previous = NULL;
        return;
    }
    if ((previous != NULL) && (previous->next == block->start) && previous->ends_with_load &&
        block->begins_with_load) {
        cycles--; /* a block may end at a page end, too: neighbouring loads still pipeline */
    }
    add(block->function, block->instructions, cycles);
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

static void translate(struct qemu_plugin_tb *tb)
{
    block_t *const block = calloc(1U, sizeof *block);
    bool behind_load = false;

    if (block == NULL) {
        abort();
    }
    block->start = qemu_plugin_tb_vaddr(tb);
    block->instructions = qemu_plugin_tb_n_insns(tb);
    block->in_hook = (block->start >= hook_at) && (block->start < hook_end);
    block->function = function_at(block->start);
    for (size_t i = 0U; i < block->instructions; i++) {
        struct qemu_plugin_insn *const insn = qemu_plugin_tb_get_insn(tb, i);
        const plugin_opcode_t opcode = plugin_opcode(insn);
        const timing_t t = timing_of(core, opcode.first, opcode.second);

        block->cycles += t.cycles - ((t.single_load && behind_load) ? 1U : 0U);
        block->begins_with_load = (i == 0U) ? t.single_load : block->begins_with_load;
        block->refill = t.refill;
        block->next = qemu_plugin_insn_vaddr(insn) + t.size;
        behind_load = t.single_load;
        if (block->in_hook) { /* reads and writes: QEMU 7.2 mistakes a wish for reads alone */
            qemu_plugin_register_vcpu_mem_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS,
                                             QEMU_PLUGIN_MEM_RW, NULL);
        }
    }
    block->ends_with_load = behind_load;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void finish(void)
{
    (void)fclose(out);
}

static int read_symbols(const char *path)
{
    FILE *const file = fopen(path, "r");
    function_t entry = { 0 };

    if (file == NULL) {
        return -1;
    }
    while (fscanf(file, "%" SCNx64 " %127s", &entry.start, entry.name) == 2) {
        function_t *const grown = realloc(functions, (function_count + 1U) * sizeof *functions);
        if (grown == NULL) {
            abort();
        }
        functions = grown;
        functions[function_count] = entry;
        function_count++;
    }
    (void)fclose(file);
    return 0;
}

static int take_argument(const char *argument)
{
    static const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {
        { "begin=", &begin_at[0] },   { "end=", &end_at },          { "hook=", &hook_at },
        { "begin2=", &begin_at[1] },  { "marks=", &marks_at },      { "steps=", &step_count },
        { "begin3=", &begin_at[2] },  { "hook_end=", &hook_end },
    };
    const char *const value = strchr(argument, '=');

    for (size_t i = 0U; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strncmp(argument, numbers[i].name, strlen(numbers[i].name)) == 0) {
            *numbers[i].value = strtoull(value + 1, NULL, 0);
            return 0;
        }
    }
    if (strncmp(argument, "core=", 5U) == 0) {
        core = (strcmp(value, "=m4") == 0) ? TIMING_M4 : TIMING_NONE;
        core = (strcmp(value, "=m3") == 0) ? TIMING_M3 : core;
        return 0;
    }
    if (strncmp(argument, "symbols=", 8U) == 0) {
        return read_symbols(value + 1);
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
    plugin_begin(id, translate, finish);
    return 0;
}
