/* SPDX-License-Identifier: 0BSD */
/* mplan_four_channels_dsp.h - assembly: two pixels by output channels, four at a time. */
#ifndef MPLAN_FOUR_CHANNELS_DSP_H
#define MPLAN_FOUR_CHANNELS_DSP_H

#include "mplan.h"

/*
 * A step does 16 multiply-accumulates in 15 cycles: four loads in a row (5 cycles), eight dual
 * multiplies, two sign extensions. A weight word holds two taps of 256 * b + a. As it is, it adds
 * to the sums of 256 * b + a (r5 and r9, and r7 and r11 for the channels c, d); its low bytes
 * extended, to the sums of a (r4, r8, r6, r10). A sum of b is their difference / 256, exactly:
 * wrapping does not matter.
 *
 * The first step begins the sums; the loop is entered where what is left is no multiple of its
 * length. Wide instructions lie on words, where none waits for its second half.
 *
 * r0 walks over the patches, whose words are of pixel 0 and 1 in turn, r1 over the packed channels.
 * The stack: 0 behind the patches, a byte less where sums are shifted; 4 patches, 8 entry, 12 zero
 * point, 16 end of the channels, 20 out0, 24 out1, 28 pre_shift. The last four move on; out1 is
 * out0 where there is no pixel 1.
 */
#define MPLAN_STEP_BYTES 56 /* of code */
#define MPLAN_FOUR_WORDS(steps) (8U + (2U * (size_t)(steps))) /* packed, of four channels */

/* Label 3: the steps, 5: four channels; branches to 6 behind the last ones, to 10 for shifts. */
#define MPLAN_FOUR_CHANNELS(unroll)                                                                \
    ".balign 4\n3:\n"                                                                              \
    ".rept " MPLAN_TEXT(unroll) "\n"                                                               \
    "ldr.w r2, [r0], #4; ldr.w r3, [r0], #4; ldr.w r12, [r1], #4; ldr.w lr, [r1], #4\n"            \
    "smlad r5, r12, r2, r5; smlad r9, r12, r3, r9; smlad r7, lr, r2, r7\n"                         \
    "smlad r11, lr, r3, r11; sxtb16 r12, r12; sxtb16 lr, lr; smlad r4, r12, r2, r4\n"              \
    "smlad r8, r12, r3, r8; smlad r6, lr, r2, r6; smlad r10, lr, r3, r10\n"                        \
    ".endr\n" MPLAN_CODE_BYTES("3b", unroll * MPLAN_STEP_BYTES)                                    \
    "ldr r2, [sp]; cmp r0, r2; blo.w 3b; bhi.w 10f; ldr.w r12, [r1], #4; ldr.w r3, [r1], #4\n"     \
    "subs r5, r5, r4; subs r7, r7, r6; sub.w r9, r9, r8; sub.w r11, r11, r10\n"                    \
    "add.w r5, r12, r5, asr #8; add.w r9, r12, r9, asr #8\n"                                       \
    "add.w r7, r3, r7, asr #8; add.w r11, r3, r11, asr #8\n"                                       \
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
    "5:\n" /* four channels; r4 and r6 are the biases of a and c */                                \
    "ldr.w r4, [r1], #4; ldr.w r6, [r1], #4; ldr.w r12, [r1], #4; ldr.w lr, [r1], #4\n"            \
    "ldr.w r2, [r0], #4; ldr.w r3, [r0], #4; smlad r5, r12, r2, r4\n"                              \
    "smlad r9, r12, r3, r4; smlad r7, lr, r2, r6; smlad r11, lr, r3, r6; sxtb16 r12, r12\n"        \
    "sxtb16 lr, lr; smlad r8, r12, r3, r4; smlad r4, r12, r2, r4; smlad r10, lr, r3, r6\n"         \
    "smlad r6, lr, r2, r6; ldr.w pc, [sp, #8]\n"

/* Label 10: left shifts of four channels, behind the code that runs on. */
#define MPLAN_FOUR_SHIFTS                                                                          \
    ".balign 4\n10:\n"                                                                             \
    "ldr.w r12, [r1], #4; ldr.w r3, [r1], #4; ldr.w r0, [sp, #28]; subs r5, r5, r4\n"              \
    "subs r7, r7, r6; sub.w r9, r9, r8; sub.w r11, r11, r10; add.w r5, r12, r5, asr #8\n"          \
    "add.w r9, r12, r9, asr #8; add.w r7, r3, r7, asr #8; add.w r11, r3, r11, asr #8\n"            \
    "ldrb r2, [r0], #1; ldrb r3, [r0], #1; ldrb r12, [r0], #1; ldrb lr, [r0], #1\n"                \
    "str.w r0, [sp, #28]; lsl r4, r4, r2; lsl r8, r8, r2; lsl r5, r5, r3; lsl r9, r9, r3\n"        \
    "lsl r6, r6, r12; lsl r10, r10, r12; lsl r7, r7, lr; lsl r11, r11, lr; b.w 4b\n"

#endif /* MPLAN_FOUR_CHANNELS_DSP_H */
