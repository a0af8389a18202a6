/* SPDX-License-Identifier: 0BSD */
/* io_host.c - the runner's files and exit on a computer. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define MAX_FILES (8)

static FILE *files[MAX_FILES];
static int32_t file_count;

/* Address sanitizer asks for its options; the harness never allocates, files close at exit. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

uint32_t harness_call(uint32_t *stack_bytes)
{
    uint32_t status = 0U;

    *stack_bytes = 0U;
    for (uint32_t call = 0U; (status == 0U) && (call < harness_call_count); call++) {
        status = harness_wrong(call, harness_call_plainly(call));
    }
    return status;
}

int32_t harness_open(const char *name, int32_t for_writing)
{
    FILE *const file = (file_count < MAX_FILES) ? fopen(name, for_writing ? "wb" : "rb") : NULL;

    if (file == NULL) {
        return -1;
    }
    files[file_count] = file;
    return file_count++;
}

uint32_t harness_read(int32_t file, void *to, uint32_t nbytes)
{
    return (uint32_t)fread(to, 1U, nbytes, files[file]);
}

void harness_write(int32_t file, const void *from, uint32_t nbytes)
{
    if (fwrite(from, 1U, nbytes, files[file]) != nbytes) {
        harness_print("cannot write a file\n");
        harness_exit(HARNESS_EXIT_FILE);
    }
}

void harness_exit(uint32_t status)
{
    exit((int)status);
}

void harness_print(const char *text)
{
    (void)fputs(text, stderr);
}
