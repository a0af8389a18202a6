/* SPDX-License-Identifier: 0BSD */
/* mplan_tiles1_dsp.h - tiles of 4 output pixels in a row, F(4, 3): see mplan_winograd_s8_dsp.h. */
#ifndef MPLAN_TILES1_DSP_H
#define MPLAN_TILES1_DSP_H

#include "mplan_tiles4_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_TILES1_LIFT "add r10, r10, #2048; add r8, r8, #2048; add r9, r9, #2048\n"

/* Two channels of each four. */
#define MPLAN_TILES1_HALF(half, at)                                                                \
    "ldmia.w r12, {r4-r9}\n"                                                                       \
    "ldr.w r4, [r4, r2]; ldr.w r5, [r5, r2]; ldr.w r6, [r6, r2]; ldr.w r7, [r7, r2]\n"             \
    "ldr.w r8, [r8, r2]; ldr.w r9, [r9, r2]\n"                                                     \
    "sxtab16 r4, lr, r4" half "; sxtab16 r5, lr, r5" half "; sxtab16 r6, lr, r6" half "\n"         \
    "sxtab16 r7, lr, r7" half "; sxtab16 r8, lr, r8" half "; sxtab16 r9, lr, r9" half "\n"         \
    MPLAN_TILES4_AXIS(MPLAN_TILES1_LIFT)                                                           \
    "str.w r4, [r0, #" at "]; str.w r5, [r0, #" at " + 16]; str.w r6, [r0, #" at " + 32]\n"        \
    "str.w r7, [r0, #" at " + 48]; str.w r8, [r0, #" at " + 64]; str.w r9, [r0, #" at " + 80]\n"

/* B' d of one tile, whose pixels are job->lines, four channels at a time; `to` is its lane. */
static MPLAN_TILES_NAKED void mplan_tiles1_inputs(MPLAN_TILES_UNUSED const mplan_tiles_t *job,
                                                  MPLAN_TILES_UNUSED uint32_t *to)
{
    __asm volatile("push {r4-r11, lr}; add r12, r0, #40; ldr r3, [r0, #36]; mov r0, r1\n"
                   "mov r2, #0; mov.w lr, #0x00800080\n"
                   "1:\n" MPLAN_TILES1_HALF("", "0") MPLAN_TILES1_HALF(", ror #8", "96")
                   "add r2, r2, #4; add r0, r0, #192; cmp r2, r3; bne.w 1b\n"
                   "pop {r4-r11, pc}\n");
}

/* One channel of a tile's four outputs. */
#define MPLAN_TILES1_OUTPUTS(channel)                                                              \
    "ldr r2, [sp, #32]; ldr.w r12, [r2, #8 * " channel "]; ldr r3, [r2, #8 * " channel " + 4]\n"   \
    "ldr r2, [sp, #24]; add r2, r2, #" channel "\n" MPLAN_TILES4_ALONG("4 * " channel, "")

/* All output channels of the tiles that there are, two at a time; r11 is 2^32 / 24, rounded. */
static MPLAN_TILES_NAKED void mplan_tiles1_channels(MPLAN_TILES_UNUSED const mplan_tiles_t *job)
{
    __asm volatile(
        MPLAN_TILES_BEGIN("40", "96")
        "1:\n" MPLAN_TILES_PRODUCTS("96", MPLAN_TILES4_FIRST)
        "ldr r2, [sp, #20]; ldr r1, [r2, #12]; ldr.w lr, [r2, #28]; str r0, [sp, #32]\n"
        "add.w r0, r2, #64; movw r11, #0xAAAB; movt r11, #0x0AAA\n"
        "4:\n" /* a tile */
        MPLAN_TILES1_OUTPUTS("0") "sub r0, r0, #16\n" MPLAN_TILES1_OUTPUTS("1")
        "ldr r3, [sp, #20]; ldr r3, [r3, #32]; add r1, r1, #8; cmp r0, r3; bne.w 4b\n"
        "ldr r3, [sp, #20]; ldr r3, [r3, #4]; add r2, r2, #1; str r2, [sp, #24]\n"
        "ldr r0, [sp, #32]; add r0, r0, #16; cmp r0, r3; bne.w 1b\n"
        "add sp, sp, #40; pop {r4-r11, pc}\n");
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TILES1_DSP_H */
