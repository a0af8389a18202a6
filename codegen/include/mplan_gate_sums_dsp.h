/* SPDX-License-Identifier: 0BSD */
/* mplan_gate_sums_dsp.h - sums of a matrix of int8 and a vector of int16, four rows at a time. */
#ifndef MPLAN_GATE_SUMS_DSP_H
#define MPLAN_GATE_SUMS_DSP_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What `mplan_gate_sums` reads. Its offsets stand in the assembly. */
typedef struct {
    const int32_t *weights;    /*  0 */
    const int16_t *values;     /*  4 */
    const int16_t *end;        /*  8 */
    const int32_t *multiplier; /* 12: moves on */
    int32_t *gates;            /* 16: moves on */
    const int32_t *gates_end;  /* 20 */
    uint32_t entry;            /* 24: bytes of code to skip; then the address to enter */
} mplan_gate_job_t;
#define MPLAN_GATE_AT(member, byte) MPLAN_AT(mplan_gate_job_t, member, byte)
MPLAN_STATIC_ASSERT(mplan_gate_job_as_in_assembly,
                    MPLAN_GATE_AT(weights, 0U) && MPLAN_GATE_AT(values, 4U) &&
                        MPLAN_GATE_AT(end, 8U) && MPLAN_GATE_AT(multiplier, 12U) &&
                        MPLAN_GATE_AT(gates, 16U) && MPLAN_GATE_AT(gates_end, 20U) &&
                        MPLAN_GATE_AT(entry, 24U));

#define MPLAN_GATE_UNROLL 8
#define MPLAN_GATE_STEP_BYTES 88 /* of code */

/*
 * Adds to gates the sums of rows times their multipliers, four rows at a time.
 *
 * Four values of four rows are 16 multiply-accumulates in 23 cycles: six loads in a row, eight sign
 * extensions, eight dual multiplies. The loop of 8 such steps is entered in its middle where their
 * number is no multiple of 8.
 */
static __attribute__((naked, noinline, used)) void mplan_gate_sums(
    __attribute__((unused)) mplan_gate_job_t *job)
{
    __asm volatile(
        "push {r0, r4-r11, lr}\n"
        "mov r3, r0; ldr r2, [r3, #24]; adr r1, 2f; add r2, r2, r1; orr r2, r2, #1\n"
        "str r2, [r3, #24]; ldr r0, [r3]\n"
        "1:\n" /* four rows */
        "ldr r1, [r3, #4]; ldr r2, [r3, #8]; ldr r12, [r3, #24]\n"
        "movs r4, #0; movs r5, #0; movs r6, #0; movs r7, #0\n"
        "bx r12\n"
        ".balign 4\n"
        "2:\n"
        ".rept 8\n" /* four values */
        "ldr.w r12, [r1], #4; ldr.w lr, [r1], #4; ldr.w r8, [r0], #4; ldr.w r9, [r0], #4\n"
        "ldr.w r10, [r0], #4; ldr.w r11, [r0], #4\n"
        "sxtb16 r3, r8; smlad r4, r3, r12, r4; sxtb16 r8, r8, ror #8; smlad r4, r8, lr, r4\n"
        "sxtb16 r3, r9; smlad r5, r3, r12, r5; sxtb16 r9, r9, ror #8; smlad r5, r9, lr, r5\n"
        "sxtb16 r3, r10; smlad r6, r3, r12, r6; sxtb16 r10, r10, ror #8; smlad r6, r10, lr, r6\n"
        "sxtb16 r3, r11; smlad r7, r3, r12, r7; sxtb16 r11, r11, ror #8; smlad r7, r11, lr, r7\n"
        ".endr\n" MPLAN_CODE_BYTES("2b", MPLAN_GATE_UNROLL * MPLAN_GATE_STEP_BYTES)
        "cmp r1, r2; bne.w 2b\n"
        /* gates += sum * multiplier, its high word rounded */
        "ldr r3, [sp]; ldr r1, [r3, #12]; ldr r2, [r3, #16]\n"
        "ldmia r1!, {r8-r11}; str r1, [r3, #12]\n"
        "ldr r1, [r2]; ldr r12, [r2, #4]; ldr lr, [r2, #8]\n"
        "smmlar r4, r4, r8, r1; ldr r1, [r2, #12]\n"
        "smmlar r5, r5, r9, r12; smmlar r6, r6, r10, lr; smmlar r7, r7, r11, r1\n"
        "stmia r2!, {r4-r7}; str r2, [r3, #16]\n"
        "ldr r1, [r3, #20]; cmp r2, r1; blo.w 1b\n"
        "pop {r0, r4-r11, pc}\n");
}

static inline size_t mplan_up_to_four(size_t count)
{
    return (count + 3U) & ~(size_t)3U;
}

/** Bytes of code that a job of so many values, a multiple of four, skips. */
static inline uint32_t mplan_gate_entry(size_t count)
{
    const size_t rest = (count / 4U) % MPLAN_GATE_UNROLL;

    return (uint32_t)(((MPLAN_GATE_UNROLL - rest) % MPLAN_GATE_UNROLL) * MPLAN_GATE_STEP_BYTES);
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_GATE_SUMS_DSP_H */
