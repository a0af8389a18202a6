/* SPDX-License-Identifier: 0BSD */
/* mplan_lines_s8_dsp.h - sums of products of lines of int8, two by two, with dual multiplies. */
#ifndef MPLAN_LINES_S8_DSP_H
#define MPLAN_LINES_S8_DSP_H

#include <string.h>

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_LINES_UNROLL (8U)
#define MPLAN_LINES_STEP_BYTES 72 /* of code */

/* What `mplan_two_lines` reads. Its offsets stand in the assembly. */
typedef struct {
    const uint32_t *lines;     /*  0: four words for each four products, two of either line */
    const uint32_t *lines_end; /*  4 */
    int32_t multiplier;        /*  8 */
    int32_t zero_point;        /* 12: of the output */
    int8_t *out0;              /* 16: output of line 0, moves on */
    int8_t *out1;              /* 20: output of line 1, moves on; out0 where there is none */
    const uint32_t *end;       /* 24: of the packed columns */
    int32_t start0;            /* 28: of the sums of line 0 */
    int32_t start1;            /* 32 */
    uint32_t pre_shift;        /* 36 */
    uint32_t entry;            /* 40: bytes of code to skip; then the address to enter */
} mplan_lines_t;
MPLAN_STATIC_ASSERT(mplan_lines_as_in_assembly,
                    MPLAN_AT(mplan_lines_t, lines, 0U) &&
                        MPLAN_AT(mplan_lines_t, lines_end, 4U) &&
                        MPLAN_AT(mplan_lines_t, multiplier, 8U) &&
                        MPLAN_AT(mplan_lines_t, zero_point, 12U) &&
                        MPLAN_AT(mplan_lines_t, out0, 16U) &&
                        MPLAN_AT(mplan_lines_t, out1, 20U) &&
                        MPLAN_AT(mplan_lines_t, end, 24U) &&
                        MPLAN_AT(mplan_lines_t, start0, 28U) &&
                        MPLAN_AT(mplan_lines_t, start1, 32U) &&
                        MPLAN_AT(mplan_lines_t, pre_shift, 36U) &&
                        MPLAN_AT(mplan_lines_t, entry, 40U));

/*
 * Two lines by two columns at a time, until job->end.
 *
 * A step does 16 multiply-accumulates in 19 cycles: six loads in a row (7 cycles), four sign
 * extensions, eight dual multiplies. The loop of eight steps is entered in its middle where their
 * number is no multiple of eight.
 */
static MPLAN_NAKED void mplan_two_lines(
    __attribute__((unused)) const uint32_t *packed, __attribute__((unused)) mplan_lines_t *job)
{
    __asm volatile(
        "push {r1, r4-r11, lr}; mov r3, r1; mov r1, r0\n"
        "ldr r2, [r3, #40]; adr r12, 2f; add r2, r2, r12; orr r2, r2, #1; str r2, [r3, #40]\n"
        "1:\n" /* two columns */
        "ldr r3, [sp]; ldr r0, [r3]; ldr r4, [r3, #28]; ldr r6, [r3, #32]; ldr r2, [r3, #40]\n"
        "ldr r3, [r3, #4]; mov r5, r4; mov r7, r6; bx r2\n"
        ".balign 4\n2:\n"
        ".rept 8\n"
        "ldr.w r8, [r0], #4; ldr.w r9, [r0], #4; ldr.w r10, [r0], #4; ldr.w r11, [r0], #4\n"
        "ldr.w r12, [r1], #4; ldr.w lr, [r1], #4\n"
        "sxtb16 r2, r12; sxtb16 r12, r12, ror #8\n"
        "smlad r4, r8, r2, r4; smlad r6, r10, r2, r6\n"
        "smlad r4, r9, r12, r4; smlad r6, r11, r12, r6\n"
        "sxtb16 r2, lr; sxtb16 lr, lr, ror #8\n"
        "smlad r5, r8, r2, r5; smlad r7, r10, r2, r7\n"
        "smlad r5, r9, lr, r5; smlad r7, r11, lr, r7\n"
        ".endr\n" MPLAN_CODE_BYTES("2b", MPLAN_LINES_UNROLL * MPLAN_LINES_STEP_BYTES)
        "cmp r0, r3; bne.w 2b\n"
        "ldr r3, [sp]; ldr r2, [r3, #36]; ldr r8, [r3, #8]; ldr r9, [r3, #12]\n"
        "ldr r10, [r3, #16]; ldr r11, [r3, #20]; ldr r12, [r3, #24]\n"
        "lsl r4, r4, r2; lsl r5, r5, r2; lsl r6, r6, r2; lsl r7, r7, r2\n"
        "smmlar r4, r4, r8, r9; smmlar r5, r5, r8, r9\n"
        "smmlar r6, r6, r8, r9; smmlar r7, r7, r8, r9\n"
        "ssat r4, #8, r4; ssat r5, #8, r5; ssat r6, #8, r6; ssat r7, #8, r7\n"
        "strb r4, [r10], #1; strb r5, [r10], #1; strb r6, [r11], #1; strb r7, [r11], #1\n"
        "str r10, [r3, #16]; str r11, [r3, #20]; cmp r1, r12; bne.w 1b\n"
        "pop {r1, r4-r11, pc}\n");
}

static inline uint32_t mplan_word_at(const int8_t *from)
{
    uint32_t word;

    (void)memcpy(&word, from, sizeof word);
    return word;
}

static inline uint32_t mplan_half_at(const int8_t *from)
{
    uint16_t half;

    (void)memcpy(&half, from, sizeof half);
    return half;
}

/* Bytes 0 and 2 as int16, and `halves` added to them. */
static inline uint32_t mplan_widened(uint32_t halves, uint32_t bytes)
{
    uint32_t both;

    __asm("sxtab16 %0, %1, %2" : "=r"(both) : "r"(halves), "r"(bytes));
    return both;
}

static inline int32_t mplan_halves_added(uint32_t halves, int32_t sum)
{
    int32_t total;

    __asm("smlad %0, %1, %2, %3" : "=r"(total) : "r"(halves), "r"(0x00010001U), "r"(sum));
    return total;
}

/* Four bytes as {0, 2}, {1, 3}, or turned as {0, 1}, {2, 3}; the sum goes on. */
static inline int32_t mplan_widen_four(uint32_t lowered, uint32_t turned, uint32_t bytes,
                                       uint32_t *to, int32_t sum)
{
    const uint32_t even = mplan_widened(lowered, bytes);
    const uint32_t odd = mplan_widened(lowered, (bytes >> 8) | (bytes << 24));

    to[0] = even;
    to[1] = odd;
    if (turned != 0U) {
        to[0] = (even & 0xFFFFU) | (odd << 16);
        to[1] = (even >> 16) | (odd & 0xFFFF0000U);
    }
    return mplan_halves_added(odd, mplan_halves_added(even, sum));
}

/* Four products of two columns, which lie byte by byte, as {0, 2, 1, 3}. */
static inline void mplan_pack_four(const int8_t *const *rows, size_t c, uint32_t *to)
{
    const uint32_t low = mplan_half_at(&rows[0][c]) | (mplan_half_at(&rows[1][c]) << 16);
    const uint32_t high = mplan_half_at(&rows[2][c]) | (mplan_half_at(&rows[3][c]) << 16);

    to[0] = (low & 0x00FF00FFU) | ((high & 0x00FF00FFU) << 8);
    to[1] = ((low >> 8) & 0x00FF00FFU) | (high & 0xFF00FF00U);
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_LINES_S8_DSP_H */
