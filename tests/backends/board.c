/* SPDX-License-Identifier: 0BSD */
/* Runs every case on the emulated core: whole, row by row, rows shuffled, in place. Inputs and
 * weights stand flush against memory that nothing may access; a read beyond them is a fault.
 *
 * FIRST, LAST and CODE_LAST come with the board: the first byte and the end of the data RAM that
 * is free to use, and the end of the code RAM. */
#include <string.h>

#include "board.h"

#define GUARD_BYTES (0x10000U) /* where the memory does not end there by itself */

#define CCR (*(volatile uint32_t *)0xE000ED14U)
#define MPU ((volatile uint32_t *)0xE000ED94U) /* control, number, base, size */

#define MARK (0x55)
#define MARGIN (64U)
#define SPACE (1U << 17)

static int8_t output[SPACE];
static int32_t scratch[SPACE / 4U];
static int8_t shuffled[SPACE];
static unsigned failures;

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

static void host(int operation, const void *argument)
{
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;

    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static void leave(uint32_t status)
{
    const uint32_t block[2] = {0x20026U, status};

    for (;;) {
        host(0x20, block);
    }
}

static void fail(const test_t *test, const char *what)
{
    host(0x04, test->name);
    host(0x04, what);
    failures++;
}

static void fault(void)
{
    host(0x04, "fault\n");
    leave(99U);
}

#if __ARM_ARCH < 8
static void protect(uint32_t number, uint32_t address)
{
    MPU[1] = number;
    MPU[2] = address;
    MPU[3] = (1U << 28) | (15U << 1) | 1U; /* no access, never executed, 2^(15 + 1) bytes */
}
#endif

void reset(void)
{
#if __ARM_ARCH < 8
    protect(0U, FIRST - GUARD_BYTES);
    protect(1U, LAST);
    protect(2U, CODE_LAST);
    MPU[0] = 5U; /* on, all other memory as usual */
#endif
#if !defined(__ARM_FEATURE_UNALIGNED)
    CCR |= 1U << 3; /* a core that cannot read unaligned runs on one that can */
#endif
    __asm volatile("dsb\n\tisb" ::: "memory");
    *(volatile uint32_t *)0xE000ED88U |= 0xFU << 20;
    memcpy(data_start, data_load, (size_t)((char *)data_end - (char *)data_start));
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    for (size_t i = 0U; i < test_count; i++) {
        run(tests[i]);
    }
    leave(failures != 0U);
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, reset, fault, fault, fault, fault, fault};

static int marked(const int8_t *bytes, size_t count)
{
    for (size_t i = 0U; i < count; i++) {
        if (bytes[i] != MARK) {
            return 0;
        }
    }
    return 1;
}

static void clear(void)
{
    memset(output, MARK, sizeof output);
    memset(scratch, MARK, sizeof scratch);
}

static void check(const test_t *test, const int8_t *found, const char *what)
{
    const size_t bytes = test->out_rows * test->out_bytes;
    const int8_t *const used = (const int8_t *)scratch;

    if (memcmp(found, test->wanted, bytes) != 0) {
        fail(test, what);
    }
    if ((found == &output[MARGIN]) &&
        !(marked(output, MARGIN) && marked(&found[bytes], MARGIN))) {
        fail(test, ": writes outside its output\n");
    }
    if (!marked(&used[test->scratch_bytes], MARGIN)) {
        fail(test, ": writes outside its scratch\n");
    }
}

static void by_rows_shuffled(const test_t *test)
{
    for (size_t y = 0U; y < test->in_rows; y++) {
        memcpy(&shuffled[test->in_table[y]], &test->in[y * test->in_bytes], test->in_bytes);
    }
    clear();
    test->call(shuffled, &output[MARGIN], 0U, test->out_rows, (int8_t *)scratch, test->packed, 1);
    for (size_t y = 0U; y < test->out_rows; y++) {
        int8_t *const row = &output[MARGIN + test->out_table[y]];

        if (memcmp(row, &test->wanted[y * test->out_bytes], test->out_bytes) != 0) {
            fail(test, ": differs with shuffled rows\n");
        }
        memset(row, MARK, test->out_bytes);
    }
    if (!marked(output, sizeof output)) {
        fail(test, ": writes between the rows\n");
    }
}

void run(const test_t *test)
{
    const size_t bytes = test->in_rows * test->in_bytes;
    int8_t *const last = (int8_t *)(LAST - bytes);
    int8_t *const first = (int8_t *)FIRST;
    int32_t *const packed = (int32_t *)(CODE_LAST - test->packed_bytes);
    int8_t *const out = &output[MARGIN];

    memcpy(packed, test->packed, test->packed_bytes);
    memcpy(last, test->in, bytes);
    clear();
    test->call(last, out, 0U, test->out_rows, (int8_t *)scratch, packed, 0);
    check(test, out, ": differs\n");

    memcpy(first, test->in, bytes);
    clear();
    for (size_t y = test->out_rows; y > 0U; y--) {
        test->call(first, out, y - 1U, y, (int8_t *)scratch, packed, 0);
    }
    check(test, out, ": differs row by row\n");

    by_rows_shuffled(test);

    if (test->above >= 0) {
        int8_t *const source = &out[test->above];

        clear();
        memcpy(source, test->in, bytes);
        test->call(source, out, 0U, test->out_rows, (int8_t *)scratch, packed, 0);
        if (memcmp(out, test->wanted, test->out_rows * test->out_bytes) != 0) {
            fail(test, ": differs on rows of its input that are done with\n");
        }
    }
    if (test->inplace) {
        clear();
        memcpy(last, test->in, bytes);
        test->call(last, last, 0U, test->out_rows, (int8_t *)scratch, packed, 0);
        check(test, last, ": differs in place\n");
    }
}
