/* SPDX-License-Identifier: 0BSD */
/* io_semihosting.c - the runner's files and exit through the emulator.
 *
 * Arm, "Semihosting for AArch32 and AArch64": operation in r0, argument block in r1. */
#include "harness.h"

#define SYS_OPEN (0x01U)
#define SYS_WRITE0 (0x04U)
#define SYS_WRITE (0x05U)
#define SYS_READ (0x06U)
#define SYS_EXIT_EXTENDED (0x20U)
#define OPEN_READ_BINARY (1U)
#define OPEN_WRITE_BINARY (5U)
#define STOPPED_APPLICATION_EXIT (0x20026U)

static uint32_t host(uint32_t operation, const void *block)
{
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = block;

    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

int32_t harness_open(const char *name, int32_t for_writing)
{
    uint32_t length = 0U;

    while (name[length] != '\0') {
        length++;
    }
    const uint32_t block[3] = {
        (uint32_t)(uintptr_t)name,
        (for_writing != 0) ? OPEN_WRITE_BINARY : OPEN_READ_BINARY,
        length,
    };
    return (int32_t)host(SYS_OPEN, block);
}

uint32_t harness_read(int32_t file, void *to, uint32_t nbytes)
{
    const uint32_t block[3] = { (uint32_t)file, (uint32_t)(uintptr_t)to, nbytes };

    return nbytes - host(SYS_READ, block); /* the answer is what was not read */
}

void harness_write(int32_t file, const void *from, uint32_t nbytes)
{
    const uint32_t block[3] = { (uint32_t)file, (uint32_t)(uintptr_t)from, nbytes };

    if (host(SYS_WRITE, block) != 0U) {
        harness_print("cannot write a file\n");
        harness_exit(HARNESS_EXIT_FILE);
    }
}

void harness_exit(uint32_t status)
{
    const uint32_t block[2] = { STOPPED_APPLICATION_EXIT, status };

    (void)host(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}

void harness_print(const char *text)
{
    (void)host(SYS_WRITE0, text);
}
