/* SPDX-License-Identifier: 0BSD */
/* mplan_average_fours_dsp.h - averages of windows of pixels, four channels at a time. */
#ifndef MPLAN_AVERAGE_FOURS_DSP_H
#define MPLAN_AVERAGE_FOURS_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What `mplan_average_fours` needs. */
typedef struct {
    int32_t start;    /*  0: of a sum */
    int32_t most;     /*  4: multiplier, or a little more than 2^32 / count */
    int32_t least;    /*  8: the same, or a little less where there are halves, which go to even */
    int32_t zero_point;
    uint32_t apart;   /* 16: bytes from pixel to pixel */
    uint32_t columns; /* 20: of the window */
    uint32_t rest;    /* 24: bytes from behind a row of the window to the next */
    uint32_t rows;    /* 28 */
    uint32_t fours;   /* 32 */
    uint32_t pixels;  /* 36: of the output; then those that are left */
    uint32_t further; /* 40: bytes from behind the fours of a window to the next window */
    uint32_t behind;  /* 44: the same of the output */
    const int8_t *in; /* 48 */
    int8_t *out;      /* 52 */
} mplan_fours_t;
MPLAN_STATIC_ASSERT(mplan_fours_as_in_assembly,
                    MPLAN_AT(mplan_fours_t, zero_point, 12U) &&
                        MPLAN_AT(mplan_fours_t, rows, 28U) &&
                        MPLAN_AT(mplan_fours_t, behind, 44U) && (sizeof(mplan_fours_t) == 56U));

/* A sum becomes one output: two roundings differ where it is halfway, the even one is taken. */
#define MPLAN_EVEN(sum, at)                                                                        \
    "smmulr r3, " sum ", r4; tst r3, #1; it ne; smmulrne r3, " sum ", r5; add r3, r3, r6\n"        \
    "ssat r3, #8, r3; strb.w r3, [r11, #" at "]\n"

/*
 * Windows of the same size, all inside, whose sums int16 holds: four channels at a time. r1 and r2
 * are sums, two int16 each; r6 the zero point, r7 `apart`, r8 `columns`, r9 `rest`. The frame: 0
 * `start`, `most`, `least`, 12 `fours`, 16 `pixels`, 20 `further`, 24 `behind`, 28 `rows`.
 */
static MPLAN_NAKED void mplan_average_fours(__attribute__((unused)) const mplan_fours_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, #32; ldr.w lr, [r0, #48]; ldr.w r11, [r0, #52]\n"
        "ldm r0!, {r1-r3, r6-r9, r12}; stm sp, {r1-r3}; ldm r0, {r2-r5}; add r1, sp, #12\n"
        "stm.w r1, {r2-r5}; str.w r12, [sp, #28]\n"
        "1:\n" /* an output pixel */
        "ldr.w r12, [sp, #12]\n"
        ".balign 4\n2:\n" /* four channels */
        "ldr.w r10, [sp, #28]; mov.w r0, lr; movs r1, #0; movs r2, #0\n"
        "3:\n" /* a row of the window */
        "lsrs.w r3, r8, #1; bcc 4f\n"
        "ldr r4, [r0]; add r0, r0, r7; sxtab16 r1, r1, r4; sxtab16 r2, r2, r4, ror #8\n"
        "cbz r3, 5f\n"
        ".balign 4\n4:\n"
        "ldr r4, [r0]; ldr r5, [r0, r7]; add.w r0, r0, r7, lsl #1\n"
        "sxtab16 r1, r1, r4; sxtab16 r2, r2, r4, ror #8; sxtab16 r1, r1, r5\n"
        "sxtab16 r2, r2, r5, ror #8; subs r3, r3, #1; bne 4b\n"
        "5:\n"
        "add r0, r0, r9; subs.w r10, r10, #1; bne 3b\n"
        "ldm.w sp, {r3, r4, r5}; sxtah r0, r3, r1; add.w r1, r3, r1, asr #16; sxtah r10, r3, r2\n"
        "add.w r2, r3, r2, asr #16; cmp r4, r5; beq 6f\n"
        MPLAN_EVEN("r0", "0") MPLAN_EVEN("r10", "1") MPLAN_EVEN("r1", "2") MPLAN_EVEN("r2", "3")
        "7:\n"
        "add r11, r11, #4; add lr, lr, #4; subs.w r12, r12, #1; bne.w 2b\n"
        "ldr r0, [sp, #16]; ldr r1, [sp, #20]; ldr r2, [sp, #24]; subs r0, r0, #1\n"
        "str r0, [sp, #16]; add lr, lr, r1; add r11, r11, r2; bne.w 1b\n"
        "add sp, #32; pop {r4-r11, pc}\n"
        "6:\n"
        "smmlar r0, r0, r4, r6; smmlar r1, r1, r4, r6; smmlar r2, r2, r4, r6\n"
        "smmlar r10, r10, r4, r6; ssat r0, #8, r0; ssat r1, #8, r1; ssat r2, #8, r2\n"
        "ssat r10, #8, r10; strb.w r0, [r11]; strb.w r10, [r11, #1]; strb.w r1, [r11, #2]\n"
        "strb.w r2, [r11, #3]; b 7b\n");
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_AVERAGE_FOURS_DSP_H */
