/* SPDX-License-Identifier: 0BSD */
/* mplan_four_pixels_dsp.h - assembly: four pixels by output channels, two at a time. */
#ifndef MPLAN_FOUR_PIXELS_DSP_H
#define MPLAN_FOUR_PIXELS_DSP_H

#include "mplan.h"

/*
 * packed: for each two output channels a, b
 *   2 words   bias of a, 256 * bias of b + bias of a (the input zero point is in every bias)
 *   words of two taps of 256 * b + a as int16: of the last word of a pixel, then of the others
 *   2 words   multipliers, 0 <= multiplier < 2^31
 * The generator has proved that accumulators of b are below 2^23; none is shifted.
 *
 * A step does 16 multiply-accumulates in 15 cycles: five loads in a row (6 cycles), eight dual
 * multiplies, one sign extension. A weight word holds two taps of 256 * b + a. As it is, it adds to
 * the sums of 256 * b + a (r8 to r11); its low bytes extended, to the sums of a (r4 to r7). Their
 * difference is 256 times the sum of b; wrapping does not matter. A product's high word onto 256
 * times the zero point and one half then has the output of b in its second byte, exactly: what is
 * below is cut twice, not rounded twice.
 *
 * The words of the pixels stand in the frame, four for each step, those of the last one at 240: no
 * register points to them. The steps before it are no loop; they are entered where as many are left
 * as there are. lr walks over the packed channels.
 *
 * The frame from 256 on: address to enter, zero point, that of b (256 * zero point + 128), out,
 * bytes to the next pixel, end of the packed channels.
 */
#define MPLAN_FOUR_PIXELS_STEPS 16
#define MPLAN_FOUR_PIXELS_BYTES 48 /* of code of a step */

/* Label 2: the steps, 5: two channels; branches to 6 behind the last ones. */
#define MPLAN_FOUR_PIXELS                                                                          \
    ".balign 4\n2:\n"                                                                              \
    ".irp at, 0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224\n"                 \
    "ldr.w r12, [lr], #4; ldr r0, [sp, #\\at]; ldr r1, [sp, #\\at + 4]\n"                          \
    "ldr r2, [sp, #\\at + 8]; ldr r3, [sp, #\\at + 12]; smlad r8, r12, r0, r8\n"                   \
    "smlad r9, r12, r1, r9; smlad r10, r12, r2, r10; smlad r11, r12, r3, r11\n"                    \
    "sxtb16 r12, r12; smlad r4, r12, r0, r4; smlad r5, r12, r1, r5\n"                              \
    "smlad r6, r12, r2, r6; smlad r7, r12, r3, r7\n"                                               \
    ".endr\n" MPLAN_CODE_BYTES("2b", 15 * MPLAN_FOUR_PIXELS_BYTES)                                 \
    "ldr.w r0, [lr], #4; ldr.w r1, [lr], #4; ldr r2, [sp, #260]; ldr r3, [sp, #264]\n"             \
    "ldr.w r12, [sp, #268]; sub.w r8, r8, r4; sub.w r9, r9, r5; sub.w r10, r10, r6\n"              \
    "sub.w r11, r11, r7; smmlar r4, r4, r0, r2; smmlar r5, r5, r0, r2\n"                           \
    "smmlar r6, r6, r0, r2; smmlar r7, r7, r0, r2; smmla r8, r8, r1, r3\n"                         \
    "smmla r9, r9, r1, r3; smmla r10, r10, r1, r3; smmla r11, r11, r1, r3\n"                       \
    "ldr r0, [sp, #272]; ldr r2, [sp, #276]; ssat r4, #8, r4; ssat r5, #8, r5\n"                   \
    "ssat r6, #8, r6; ssat r7, #8, r7; ssat r8, #16, r8; ssat r9, #16, r9\n"                       \
    "ssat r10, #16, r10; ssat r11, #16, r11; bfi r8, r4, #0, #8; bfi r9, r5, #0, #8\n"             \
    "bfi r10, r6, #0, #8; bfi r11, r7, #0, #8; add.w r1, r12, r0, lsl #1\n"                        \
    "strh.w r9, [r12, r0]; strh.w r10, [r1]; strh.w r11, [r1, r0]; strh r8, [r12], #2\n"           \
    "cmp lr, r2; str.w r12, [sp, #268]; beq 6f\n"                                                  \
    "5:\n" /* two output channels; r4 and r8 are their biases */                                   \
    "ldr.w r4, [lr], #4; ldr.w r8, [lr], #4; ldr.w r12, [lr], #4; ldr r0, [sp, #240]\n"            \
    "ldr r1, [sp, #244]; ldr r2, [sp, #248]; ldr r3, [sp, #252]; smlad r9, r12, r1, r8\n"          \
    "smlad r10, r12, r2, r8; smlad r11, r12, r3, r8; smlad r8, r12, r0, r8\n"                      \
    "sxtb16 r12, r12; smlad r5, r12, r1, r4; smlad r6, r12, r2, r4\n"                              \
    "smlad r7, r12, r3, r4; smlad r4, r12, r0, r4; ldr.w pc, [sp, #256]\n"

#endif /* MPLAN_FOUR_PIXELS_DSP_H */
