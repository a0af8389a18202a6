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
    const int32_t *weights;   /*  0 */
    const int16_t *values;    /*  4 */
    const int16_t *end;       /*  8 */
    const int32_t *start;     /* 12: moves on */
    int32_t *gates;           /* 16: moves on; may be start */
    const int32_t *gates_end; /* 20 */
    uint32_t entry;           /* 24: bytes of code to skip */
} mplan_gate_job_t;
#define MPLAN_GATE_AT(member, byte) MPLAN_AT(mplan_gate_job_t, member, byte)
MPLAN_STATIC_ASSERT(mplan_gate_job_as_in_assembly,
                    MPLAN_GATE_AT(weights, 0U) && MPLAN_GATE_AT(values, 4U) &&
                        MPLAN_GATE_AT(end, 8U) && MPLAN_GATE_AT(start, 12U) &&
                        MPLAN_GATE_AT(gates, 16U) && MPLAN_GATE_AT(gates_end, 20U) &&
                        MPLAN_GATE_AT(entry, 24U));

#define MPLAN_GATE_UNROLL 8
#define MPLAN_GATE_STEP_BYTES 72 /* of code */

/*
 * gates = start + sums of rows times their multipliers, four rows at a time.
 *
 * weights: for each four rows, for each four values two words of the rows 0 and 1, two of 2 and 3,
 * whose halves are 256 times the odd row's weight and the even row's; then the four multipliers.
 * A sum of such halves is 256 times that of the odd row and that of the even row, in 64 bits; the
 * even row's is made apart. Four values of four rows are 16 multiply-accumulates in 19 cycles: six
 * loads in a row, four sign extensions, eight dual multiplies. The loop of 8 such steps is entered
 * in its middle where their number is no multiple of 8.
 */
static MPLAN_NAKED void mplan_gate_sums(
    __attribute__((unused)) const mplan_gate_job_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}\n"
        "ldmia r0, {r2-r8}; adr r1, 2f; add r8, r8, r1; orr r8, r8, #1\n"
        "mov r0, r2; push {r2-r8}\n"
        "1:\n" /* four rows: r4, r7 of the even ones; r5 and r6, r8 and r9 of halves */
        "ldr r1, [sp, #4]; ldr r3, [sp, #24]\n"
        "movs r4, #0; movs r7, #0; umull r5, r6, r4, r4; umull r8, r9, r4, r4\n"
        "bx r3\n"
        ".balign 4\n"
        "2:\n"
        ".rept 8\n" /* four values */
        "ldr.w r10, [r1], #4; ldr.w r11, [r1], #4; ldr.w r2, [r0], #4; ldr.w r3, [r0], #4\n"
        "ldr.w r12, [r0], #4; ldr.w lr, [r0], #4\n"
        "smlald r5, r6, r2, r10; sxtb16 r2, r2; smlad r4, r2, r10, r4\n"
        "smlald r5, r6, r3, r11; sxtb16 r3, r3; smlad r4, r3, r11, r4\n"
        "smlald r8, r9, r12, r10; sxtb16 r12, r12; smlad r7, r12, r10, r7\n"
        "smlald r8, r9, lr, r11; sxtb16 lr, lr; smlad r7, lr, r11, r7\n"
        ".endr\n" MPLAN_CODE_BYTES("2b", MPLAN_GATE_UNROLL * MPLAN_GATE_STEP_BYTES)
        "ldr r2, [sp, #8]; cmp r1, r2; bne.w 2b\n"
        /* of the odd ones */
        "lsrs r5, r5, #8; orr r5, r5, r6, lsl #24; sub r5, r5, r4, asr #8\n"
        "lsr r8, r8, #8; orr r8, r8, r9, lsl #24; sub r8, r8, r7, asr #8\n"
        /* start + sum * multiplier, its high word rounded */
        "ldr.w r6, [r0], #4; ldr.w r9, [r0], #4; ldr.w r10, [r0], #4; ldr.w r11, [r0], #4\n"
        "ldr r1, [sp, #12]; ldr r2, [sp, #16]\n"
        "ldr r3, [r1]; ldr.w r12, [r1, #4]; ldr.w lr, [r1, #8]\n"
        "smmlar r4, r4, r6, r3; ldr r6, [r1, #12]; ldr r3, [sp, #20]; adds r1, #16\n"
        "smmlar r5, r5, r9, r12; smmlar r7, r7, r10, lr; smmlar r8, r8, r11, r6\n"
        "str r4, [r2]; str r5, [r2, #4]; str r7, [r2, #8]; str.w r8, [r2, #12]; adds r2, #16\n"
        "str r1, [sp, #12]; str r2, [sp, #16]; cmp r2, r3; blo.w 1b\n"
        "add sp, #28; pop {r4-r11, pc}\n");
}

static inline size_t mplan_up_to_four(size_t count)
{
    return (count + 3U) & ~(size_t)3U;
}

/** Words of four rows of so many values, a multiple of four. */
static inline size_t mplan_gate_words(size_t count)
{
    return count + 4U;
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
