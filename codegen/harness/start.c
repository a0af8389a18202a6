/* SPDX-License-Identifier: 0BSD */
/* start.c - vectors, start-up and stack measurement of a bare-metal test image.
 *
 * One source for Armv6-M to Armv8.1-M. Nothing here calls a library function: what the link map
 * lists from libraries is the model's. */
#include "harness.h"

#define CCR (*(volatile uint32_t *)0xE000ED14U)
#define CFSR (*(volatile uint32_t *)0xE000ED28U)
#define CPACR (*(volatile uint32_t *)0xE000ED88U)
#define CCR_UNALIGN_TRP (1U << 3)
#define CPACR_FPU_FULL_ACCESS (0xFU << 20)
#define STACK_PAINT (0x5AC35AC3U)

extern uint32_t harness_data_load[], harness_data_start[], harness_data_end[];
extern uint32_t harness_bss_start[], harness_bss_end[];
extern uint32_t harness_stack_limit[], harness_stack_top[];

void harness_reset(void);
void harness_fault(void);
void harness_fault_report(const uint32_t *frame);
uint32_t harness_call_painted(const void *context, const void *argument, harness_entry_t entry,
                              uintptr_t *stack_at_call);

typedef union {
    uint32_t *stack_top;
    void (*handler)(void);
} vector_t;

__attribute__((section(".vectors"), used)) static const vector_t vectors[16] = {
    { .stack_top = harness_stack_top }, { .handler = harness_reset }, { .handler = harness_fault },
    { .handler = harness_fault },       { .handler = harness_fault }, { .handler = harness_fault },
    { .handler = harness_fault },       { .handler = harness_fault }, { .handler = NULL },
    { .handler = NULL },                { .handler = NULL },          { .handler = harness_fault },
    { .handler = harness_fault },       { .handler = NULL },          { .handler = harness_fault },
    { .handler = harness_fault },
};

void harness_reset(void)
{
    const volatile uint32_t *from = harness_data_load;

#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= CPACR_FPU_FULL_ACCESS;
#endif
#if !defined(__ARM_FEATURE_UNALIGNED)
    CCR |= CCR_UNALIGN_TRP; /* a core that cannot read unaligned may run on one that can */
#endif
    __asm volatile("dsb\n\tisb" ::: "memory");
    for (volatile uint32_t *to = harness_data_start; to < harness_data_end; to++) {
        *to = *from;
        from++;
    }
    for (volatile uint32_t *to = harness_bss_start; to < harness_bss_end; to++) {
        *to = 0U;
    }
    harness_exit((uint32_t)main());
}

static void print_hex(const char *label, uint32_t value)
{
    char text[11] = "0x00000000";

    for (uint32_t digit = 0U; digit < 8U; digit++) {
        const uint32_t nibble = (value >> (28U - (4U * digit))) & 0xFU;
        text[2U + digit] =
            (char)((nibble < 10U) ? ('0' + (char)nibble) : ('a' + (char)nibble - 10));
    }
    harness_print(label);
    harness_print(text);
}

/* frame: r0 r1 r2 r3 r12 lr pc xpsr, as the processor pushed them. */
__attribute__((used)) void harness_fault_report(const uint32_t *frame)
{
    harness_print("fault:");
    print_hex(" pc=", frame[6]);
    print_hex(" lr=", frame[5]);
    print_hex(" cfsr=", CFSR);
    harness_print("\n");
    harness_exit(HARNESS_EXIT_FAULT);
}

/* The frame lies at the stack pointer; a fresh stack, as the old one may be the cause. */
__attribute__((naked)) void harness_fault(void)
{
    __asm volatile("mov r0, sp\n\t"
                   "ldr r1, =harness_stack_top\n\t"
                   "mov sp, r1\n\t"
                   "bl harness_fault_report\n\t"
                   ".ltorg");
}

/* Paints everything below the stack pointer, then calls the model: what it uses is its own.
 * harness_return is where the counting plugin stops. */
__attribute__((naked, noinline)) uint32_t harness_call_painted(const void *context,
                                                               const void *argument,
                                                               harness_entry_t entry,
                                                               uintptr_t *stack_at_call)
{
    (void)context;
    (void)argument;
    (void)entry;
    (void)stack_at_call;
    __asm volatile("push {r4, r5, r6, lr}\n\t"
                   "mov r4, sp\n\t"
                   "str r4, [r3]\n\t"
                   "ldr r3, =harness_stack_limit\n\t"
                   "ldr r5, =%c0\n"
                   "1:\n\t"
                   "cmp r3, r4\n\t"
                   "bhs 2f\n\t"
                   "stmia r3!, {r5}\n\t"
                   "b 1b\n"
                   "2:\n\t"
                   "blx r2\n\t"
                   ".global harness_return\n\t"
                   ".thumb_func\n"
                   "harness_return:\n\t"
                   "pop {r4, r5, r6, pc}\n\t"
                   ".ltorg"
                   :
                   : "i"(STACK_PAINT));
}

/* One call; returns its status, and its stack where it is the largest so far. */
static uint32_t measured_call(uint32_t call, uint32_t *stack_bytes)
{
    uintptr_t stack_at_call = 0U;
    const uint32_t status = harness_call_painted(harness_context, harness_argument(call),
                                                 harness_entry(call), &stack_at_call);
    const volatile uint32_t *lowest = harness_stack_limit;
    uint32_t used;

    while (((uintptr_t)lowest < stack_at_call) && (*lowest == STACK_PAINT)) {
        lowest++;
    }
    if (lowest == harness_stack_limit) {
        harness_print("the call used the whole stack of the test image\n");
        harness_exit(HARNESS_EXIT_STACK);
    }
    used = (uint32_t)(stack_at_call - (uintptr_t)lowest);
    if (used > *stack_bytes) {
        *stack_bytes = used;
    }
    return status;
}

uint32_t harness_call(uint32_t *stack_bytes)
{
    uint32_t status = 0U;

    *stack_bytes = 0U;
    for (uint32_t call = 0U; (status == 0U) && (call < harness_call_count); call++) {
        status = harness_wrong(call, measured_call(call, stack_bytes));
    }
    return status;
}
