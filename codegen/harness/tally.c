/* SPDX-License-Identifier: Apache-2.0 */
/* tally.c - sums of what was counted, and the functions that they belong to. */
#include "tally.h"

#include <inttypes.h>
#include <stdlib.h>

static function_t *functions;
static size_t function_count;
static function_t elsewhere = { .name = "?" };

void tally_add(tally_t *sum, const tally_t *more)
{
    sum->instructions += more->instructions;
    sum->cycles += more->cycles;
    for (size_t i = 0U; i < 4U; i++) {
        sum->waits[i] += more->waits[i];
    }
}

void tally_write(FILE *out, const tally_t *t)
{
    (void)fprintf(out, "%" PRIu64 " %" PRIu64, t->instructions, t->cycles);
    for (size_t i = 0U; i < 4U; i++) {
        (void)fprintf(out, " %" PRId64, t->waits[i]);
    }
}

void steps_write(FILE *out, const step_t *steps, uint64_t count)
{
    for (uint64_t k = 0U; k < count; k++) {
        (void)fprintf(out, "step %" PRIu64 " %" PRIu64 " ", k, steps[k].hits);
        tally_write(out, &steps[k].tally);
        (void)fputc('\n', out);
    }
}

int functions_read(const char *path)
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

function_t *function_at(uint64_t address)
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

void functions_clear(void)
{
    const tally_t none = { 0 };

    elsewhere.tally = none;
    for (size_t i = 0U; i < function_count; i++) {
        functions[i].tally = none;
    }
}

static void write_function(FILE *out, const function_t *function)
{
    if (function->tally.instructions != 0U) {
        (void)fputs("function ", out);
        tally_write(out, &function->tally);
        (void)fprintf(out, " %s\n", function->name);
    }
}

void functions_write(FILE *out)
{
    for (size_t i = 0U; i < function_count; i++) {
        write_function(out, &functions[i]);
    }
    write_function(out, &elsewhere);
}
