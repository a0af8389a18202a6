/* SPDX-License-Identifier: 0BSD */
/* mplan_tiles4_weights_dsp.h - weights of tiles of 4 by 4 pixels: see mplan_winograd_s8_dsp.h. */
#ifndef MPLAN_TILES4_WEIGHTS_DSP_H
#define MPLAN_TILES4_WEIGHTS_DSP_H

#include "mplan_tiles_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* G of the three words at r0, r7 bytes apart from r1 on; r9 = 6, r10 = 12; on to the next. */
#define MPLAN_TILES4_WEIGHTS                                                                       \
    "ldmia r0!, {r4-r6}; add r8, r1, r7\n"                                                         \
    "mla r12, r4, r9, r3; mla r11, r6, r10, r3; eor.w r12, r12, r3; eor.w r11, r11, r3\n"          \
    "str.w r12, [r1]; str.w r11, [r8, r7, lsl #2]; add r11, r4, r6\n"                              \
    "add r12, r11, r5; sub.w r11, r11, r5; sub.w r12, r3, r12, lsl #2\n"                           \
    "sub.w r11, r3, r11, lsl #2; eor.w r12, r12, r3; eor.w r11, r11, r3\n"                         \
    "str.w r12, [r1, r7]; str.w r11, [r1, r7, lsl #1]\n"                                           \
    "add r4, r4, r3; add.w r4, r4, r6, lsl #2; add.w r12, r4, r5, lsl #1\n"                        \
    "sub.w r11, r4, r5, lsl #1; eor.w r12, r12, r3; eor.w r11, r11, r3\n"                          \
    "str.w r12, [r8, r7, lsl #1]; str.w r11, [r1, r7, lsl #2]; add r1, r1, r2\n"

/*
 * G down six columns of three words, each 65536 * second + first of two input channels, to
 * positions so many bytes apart. half: 32768 to make int16 of both, 0 to leave them so.
 */
static MPLAN_TILES_NAKED void mplan_tiles4_columns(MPLAN_TILES_UNUSED const uint32_t *rows,
                                                   MPLAN_TILES_UNUSED uint32_t *to,
                                                   MPLAN_TILES_UNUSED uint32_t apart,
                                                   MPLAN_TILES_UNUSED uint32_t half)
{
    __asm volatile("push {r4-r11, lr}; add.w lr, r0, #72\n"
                   "add r7, r2, r2, lsl #1; lsl r7, r7, #1; mov.w r9, #6; mov.w r10, #12\n"
                   "1:\n" MPLAN_TILES4_WEIGHTS MPLAN_TILES4_WEIGHTS MPLAN_TILES4_WEIGHTS
                   "cmp r0, lr; bne.w 1b\n"
                   "pop {r4-r11, pc}\n");
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TILES4_WEIGHTS_DSP_H */
