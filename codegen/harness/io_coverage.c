/* SPDX-License-Identifier: 0BSD */
/* io_coverage.c - writes how often every branch of the model was taken, when an image ends.
 *
 * GCC, "Profiling and Test Coverage in Freestanding Environments". coverage.bin holds a record for
 * each object: { length of its name, name }, then { length, bytes } until a length of 0. */
#include <gcov.h>

#include "harness.h"

extern const struct gcov_info *const harness_gcov_start[];
extern const struct gcov_info *const harness_gcov_end[];

/* Names that the linker gives: it calls the first in place of the second. */
void __wrap_harness_exit(uint32_t status);
void __real_harness_exit(uint32_t status);

static int32_t file = -1;

static void put_chunk(const void *bytes, unsigned length, void *unused)
{
    const uint32_t size = (uint32_t)length;

    (void)unused;
    if (size != 0U) {
        harness_write(file, &size, (uint32_t)sizeof size);
        harness_write(file, bytes, size);
    }
}

static void put_name(const char *name, void *unused)
{
    uint32_t length = 0U;

    while (name[length] != '\0') {
        length++;
    }
    put_chunk(name, length, unused);
}

/* Of counts of values alone, which --coverage has none of. */
static void *no_memory(unsigned length, void *unused)
{
    (void)length;
    (void)unused;
    return NULL;
}

void __wrap_harness_exit(uint32_t status)
{
    const uint32_t end = 0U;

    file = harness_open("coverage.bin", 1);
    for (size_t i = 0U; &harness_gcov_start[i] < harness_gcov_end; i++) {
        __gcov_info_to_gcda(harness_gcov_start[i], put_name, put_chunk, no_memory, NULL);
        harness_write(file, &end, (uint32_t)sizeof end);
    }
    __real_harness_exit(status);
}
