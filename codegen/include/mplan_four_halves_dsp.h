/* SPDX-License-Identifier: 0BSD */
/* mplan_four_halves_dsp.h - mplan_four_channels_dsp.h for weights of 4 bits. */
#ifndef MPLAN_FOUR_HALVES_DSP_H
#define MPLAN_FOUR_HALVES_DSP_H

#include "mplan.h"

/*
 * A step does 16 multiply-accumulates in 16 cycles: three loads in a row (4 cycles), eight dual
 * multiplies, four instructions on weights. A weight word holds two taps of
 * 4096 * d + 256 * c + 16 * b + a, for four channels. As it is, it adds to the sums of that (r7 and
 * r11); its low bytes extended, to those of 16 * b + a (r5, r9). Shifted by 4 bits and cut to its
 * halves, it adds to 16 times the sums of 256 * c + 16 * b + a (r6, r10); the low bytes of that
 * extended, to 16 times those of a (r4, r8). Their differences are the sums, times 16 or 4096:
 * wrapping does not matter.
 *
 * Registers and stack are those of mplan_four_channels_dsp.h.
 */
#define MPLAN_STEP_BYTES 60 /* of code */
#define MPLAN_FOUR_WORDS(steps) (8U + (size_t)(steps)) /* packed, of four channels */

#define MPLAN_HALVES_SUMS(s0, s1, s2, s3)                                                          \
    "sub.w " s2 ", " s2 ", " s1 ", lsl #4; sub.w " s3 ", " s3 ", " s1 "\n"                         \
    "sub.w " s3 ", " s3 ", " s2 ", asr #4; sub.w " s1 ", " s1 ", " s0 ", asr #4\n"                 \
    "add.w " s0 ", r2, " s0 ", asr #4; add.w " s1 ", r3, " s1 ", asr #4\n"                         \
    "add.w " s2 ", r12, " s2 ", asr #12; add.w " s3 ", lr, " s3 ", asr #12\n"

/* Label 3: the steps, 5: four channels; branches to 6 behind the last ones, to 10 for shifts. */
#define MPLAN_FOUR_CHANNELS(unroll)                                                                \
    ".balign 4\n3:\n"                                                                              \
    ".rept " MPLAN_TEXT(unroll) "\n"                                                               \
    "ldr.w r2, [r0], #4; ldr.w r3, [r0], #4; ldr.w r12, [r1], #4\n"                                \
    "smlad r7, r12, r2, r7; smlad r11, r12, r3, r11; sxtb16 lr, r12; lsl.w r12, r12, #4\n"         \
    "smlad r5, lr, r2, r5; smlad r9, lr, r3, r9; bic.w r12, r12, #0x000F000F\n"                    \
    "sxtb16 lr, r12; smlad r6, r12, r2, r6; smlad r10, r12, r3, r10\n"                             \
    "smlad r4, lr, r2, r4; smlad r8, lr, r3, r8\n"                                                 \
    ".endr\n" MPLAN_CODE_BYTES("3b", unroll * MPLAN_STEP_BYTES)                                    \
    "ldr r2, [sp]; cmp r0, r2; blo.w 3b\n"                                                         \
    "ldr.w r2, [r1], #4; ldr.w r3, [r1], #4; ldr.w r12, [r1], #4; ldr.w lr, [r1], #4\n"            \
    MPLAN_HALVES_SUMS("r4", "r5", "r6", "r7") MPLAN_HALVES_SUMS("r8", "r9", "r10", "r11")          \
    "bhi.w 10f\n"                                                                                  \
    "4:\n" /* requantize: sum * multiplier, its high word rounded, onto the zero point */          \
    "ldr.w r0, [r1], #4; ldr.w r2, [r1], #4; ldr.w r3, [r1], #4; ldr.w r12, [r1], #4\n"            \
    "ldr.w lr, [sp, #12]; smmlar r4, r4, r0, lr; smmlar r8, r8, r0, lr\n"                          \
    "smmlar r5, r5, r2, lr; smmlar r9, r9, r2, lr; smmlar r6, r6, r3, lr\n"                        \
    "smmlar r10, r10, r3, lr; smmlar r7, r7, r12, lr; smmlar r11, r11, r12, lr\n"                  \
    "ldr.w lr, [sp, #16]; ldr r2, [sp, #20]; ldr r3, [sp, #24]; ldr.w r0, [sp, #4]\n"              \
    "ssat r8, #8, r8; ssat r9, #8, r9; ssat r10, #8, r10; ssat r11, #8, r11\n"                     \
    "ssat r4, #8, r4; ssat r5, #8, r5; ssat r6, #8, r6; ssat r7, #8, r7\n"                         \
    /* pixel 1 first: where it does not exist, pixel 0 overwrites it */                            \
    "strb r8, [r3], #1; strb r9, [r3], #1; strb r10, [r3], #1; strb r11, [r3], #1\n"               \
    "strb r4, [r2], #1; strb r5, [r2], #1; strb r6, [r2], #1; strb r7, [r2], #1\n"                 \
    "str r2, [sp, #20]; str r3, [sp, #24]; cmp r1, lr; beq 6f\n"                                   \
    "5:\n" /* four channels */                                                                     \
    "ldr.w r2, [r0], #4; ldr.w r3, [r0], #4; ldr.w r12, [r1], #4\n"                                \
    "smuad r7, r12, r2; smuad r11, r12, r3; sxtb16 lr, r12; lsl.w r12, r12, #4\n"                  \
    "smuad r5, lr, r2; smuad r9, lr, r3; bic.w r12, r12, #0x000F000F\n"                            \
    "sxtb16 lr, r12; smuad r6, r12, r2; smuad r10, r12, r3\n"                                      \
    "smuad r4, lr, r2; smuad r8, lr, r3; ldr.w pc, [sp, #8]\n"

/* Label 10: left shifts of four channels, behind the code that runs on. */
#define MPLAN_FOUR_SHIFTS                                                                          \
    ".balign 4\n10:\n"                                                                             \
    "ldr.w r0, [sp, #28]\n"                                                                        \
    "ldrb r2, [r0], #1; ldrb r3, [r0], #1; ldrb r12, [r0], #1; ldrb lr, [r0], #1\n"                \
    "str.w r0, [sp, #28]; lsl r4, r4, r2; lsl r8, r8, r2; lsl r5, r5, r3; lsl r9, r9, r3\n"        \
    "lsl r6, r6, r12; lsl r10, r10, r12; lsl r7, r7, lr; lsl r11, r11, lr; b.w 4b\n"

#endif /* MPLAN_FOUR_HALVES_DSP_H */
