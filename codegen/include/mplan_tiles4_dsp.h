/* SPDX-License-Identifier: 0BSD */
/* mplan_tiles4_dsp.h - tiles of 4 by 4 output pixels, F(4x4, 3x3): see mplan_winograd_s8_dsp.h. */
#ifndef MPLAN_TILES4_DSP_H
#define MPLAN_TILES4_DSP_H

#include "mplan_tiles_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_TILES4_WORK (168U) /* bytes in front of the sums */

/*
 * B' of r4 to r9, two channels in each. A word is 65536 * high + low, and so are sums, differences
 * and shifts of such words; as its halves are those of the channels where low is not negative, so
 * the inputs are made of 0 to 255, and `lift` adds what keeps the results from it, once in each.
 */
#define MPLAN_TILES4_AXIS(lift)                                                                    \
    "sub r10, r8, r6; sub r11, r7, r5; sub r4, r4, r6; sub r9, r9, r7\n"                           \
    "sub r8, r8, r6, lsl #2; sub r7, r7, r5, lsl #2\n" lift                                        \
    "add r4, r10, r4, lsl #2; sub r9, r9, r11, lsl #2\n"                                           \
    "add r5, r8, r7; sub r6, r8, r7; add r7, r10, r11, lsl #1; sub r8, r10, r11, lsl #1\n"
#define MPLAN_TILES4_LIFT "add r10, r10, #13056; add r8, r8, #13056; add r9, r9, #13056\n"

/* Along a row onto the work space; down a column of it into the lane. */
#define MPLAN_TILES4_ROW(half, first, moves)                                                       \
    first                                                                                          \
    "ldr.w r4, [r3]; ldr.w r5, [r3, r1]; ldr.w r6, [r3, r1, lsl #1]; ldr.w r7, [r3, r2]\n"         \
    "ldr.w r8, [r3, r1, lsl #2]; ldr.w r9, [r3, r12]\n" moves                                      \
    "sxtab16 r4, lr, r4" half "; sxtab16 r5, lr, r5" half "; sxtab16 r6, lr, r6" half "\n"         \
    "sxtab16 r7, lr, r7" half "; sxtab16 r8, lr, r8" half "; sxtab16 r9, lr, r9" half "\n"         \
    MPLAN_TILES4_AXIS("") "stmia r0!, {r4-r9}\n"
#define MPLAN_TILES4_COLUMN(at, to)                                                                \
    "ldr.w r4, [r3, #" at "]; ldr.w r5, [r3, #" at " + 28]; ldr.w r6, [r3, #" at " + 56]\n"        \
    "ldr.w r7, [r3, #" at " + 84]; ldr.w r8, [r3, #" at " + 112]; ldr.w r9, [r3, #" at " + 140]\n" \
    MPLAN_TILES4_AXIS(MPLAN_TILES4_LIFT)                                                           \
    "str.w r4, [r0, #" to "]; str.w r5, [r0, #" to " + 96]; str.w r6, [r0, #" to " + 192]\n"       \
    "str.w r7, [r0, #" to " + 288]; str.w r8, [r0, #" to " + 384]; str.w r9, [r0, #" to " + 480]\n"

/* Two channels of each four. */
#define MPLAN_TILES4_HALF(half, first, moves)                                                      \
    "ldr r0, [sp]\n"                                                                               \
    "2:\n" MPLAN_TILES4_ROW(half, first, moves) MPLAN_TILES4_ROW(half, first, moves)               \
    "ldr r3, [sp, #4]; cmp r0, r3; bne.w 2b\n"                                                     \
    "ldr r3, [sp]; ldr r0, [sp, #8]; add r3, r3, #4\n"                                             \
    "3:\n" MPLAN_TILES4_COLUMN("0", "0") MPLAN_TILES4_COLUMN("4", "16")                            \
    "ldr r10, [sp]; add r3, r3, #8; add r0, r0, #32; add r10, r10, #28; cmp r3, r10; bne.w 3b\n"   \
    "add r0, r0, #480; str r0, [sp, #8]\n"

/*
 * B' d B of one tile, four channels at a time; `to` is its lane of the transformed inputs.
 * In front of the sums lies the work space: six rows of 28 bytes, an address and six words.
 * The stack: 0 the work space, 4 its end, 8 the lane, 12 the end of line 0.
 */
static MPLAN_TILES_NAKED void mplan_tiles4_inputs(MPLAN_TILES_UNUSED const mplan_tiles_t *job,
                                                  MPLAN_TILES_UNUSED uint32_t *to)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, sp, #16; str r1, [sp, #8]\n"
        "ldr r3, [r0, #12]; sub.w r2, r3, #168; str r2, [sp]; str r3, [sp, #4]\n"
        "ldr r1, [r0, #36]; add r0, r0, #40; ldmia r0, {r4-r9}; str r4, [r2]; str r5, [r2, #28]\n"
        "str r6, [r2, #56]; str r7, [r2, #84]; str.w r8, [r2, #112]; str.w r9, [r2, #140]\n"
        "add r4, r4, r1; str r4, [sp, #12]\n"
        "add r2, r1, r1, lsl #1; add r12, r1, r1, lsl #2; mov.w lr, #0x00800080\n"
        "1:\n" MPLAN_TILES4_HALF("", "ldr.w r3, [r0], #4\n", "")
        MPLAN_TILES4_HALF(", ror #8", "ldr.w r3, [r0]\n", "add r3, r3, #4; str r3, [r0], #4\n")
        "ldr r3, [sp]; ldr r4, [sp, #12]; ldr r3, [r3]; cmp r3, r4; bne.w 1b\n"
        "add sp, sp, #16; pop {r4-r11, pc}\n");
}

/* A' of the six sums in r4 to r9, into r4, r8, r10, r7: all 24 times as large. */
#define MPLAN_TILES4_BACK                                                                          \
    "add r10, r5, r6; sub r5, r5, r6; add r6, r7, r8; sub r7, r7, r8\n"                            \
    "add r4, r4, r10; add r4, r4, r6; add r8, r5, r7, lsl #1; add r10, r10, r6, lsl #2\n"          \
    "add r7, r5, r7, lsl #3; add r7, r7, r9, lsl #1\n"

#define MPLAN_TILES4_DOWN(at)                                                                      \
    "ldr.w r4, [r1, #" at "]; ldr.w r5, [r1, #" at " + 192]; ldr.w r6, [r1, #" at " + 384]\n"      \
    "ldr.w r7, [r1, #" at " + 576]; ldr.w r8, [r1, #" at " + 768]; ldr.w r9, [r1, #" at " + 960]\n"\
    MPLAN_TILES4_BACK                                                                              \
    "str.w r4, [r1, #" at "]; str.w r8, [r1, #" at " + 192]\n"                                     \
    "str.w r10, [r1, #" at " + 384]; str.w r7, [r1, #" at " + 576]\n"

/* Four pixels; `end` is loaded into r4 meanwhile. */
#define MPLAN_TILES4_ALONG(at, end)                                                                \
    "ldr.w r4, [r1, #" at "]; ldr.w r5, [r1, #" at " + 32]; ldr.w r6, [r1, #" at " + 64]\n"        \
    "ldr.w r7, [r1, #" at " + 96]; ldr.w r8, [r1, #" at " + 128]; ldr.w r9, [r1, #" at " + 160]\n" \
    MPLAN_TILES4_BACK                                                                              \
    "smmlar r4, r4, r11, r12; smmlar r8, r8, r11, r12\n"                                           \
    "smmlar r10, r10, r11, r12; smmlar r7, r7, r11, r12\n"                                         \
    "smmlar r4, r4, r3, lr; smmlar r8, r8, r3, lr\n"                                               \
    "smmlar r10, r10, r3, lr; smmlar r7, r7, r3, lr; ldmia r0!, {r5, r6, r9}\n"                    \
    "ssat r4, #8, r4; ssat r8, #8, r8; ssat r10, #8, r10; ssat r7, #8, r7\n"                       \
    "strb r4, [r5, r2]; ldr r5, [r0], #4\n" end                                                    \
    "strb.w r8, [r6, r2]; strb.w r10, [r9, r2]; strb r7, [r5, r2]\n"

/*
 * One channel of a tile's outputs: A' M A, down the columns in place, then along the rows. r11 is
 * 2^32 / 576, rounded: the high word of a product with it, rounded, is off by less than a quarter,
 * so it is the sum divided by 576, which is whole. Onto the bias; requantized.
 * 32 of the stack: bias and multipliers; 36: the end of the rows.
 */
#define MPLAN_TILES4_OUTPUTS(channel)                                                              \
    "add r12, r1, #192\n"                                                                          \
    "5:\n" MPLAN_TILES4_DOWN("4 * " channel) MPLAN_TILES4_DOWN("32 + 4 * " channel)                \
    "add r1, r1, #64; cmp r1, r12; bne.w 5b\n"                                                     \
    "ldr r2, [sp, #32]; ldr.w r12, [r2, #8 * " channel "]; ldr r3, [r2, #8 * " channel " + 4]\n"   \
    "ldr r2, [sp, #24]; add r4, r1, #576; sub r1, r1, #192; add r2, r2, #" channel "\n"            \
    "str r4, [sp, #36]\n"                                                                          \
    "6:\n" MPLAN_TILES4_ALONG("4 * " channel, "")                                                  \
    MPLAN_TILES4_ALONG("192 + 4 * " channel, "ldr r4, [sp, #36]\n")                                \
    "add r1, r1, #384; cmp r1, r4; bne.w 6b\n"

/* The first step of a position onto what the lift of the inputs asks for. */
#define MPLAN_TILES4_FIRST                                                                         \
    "ldr.w r10, [r0], #4; ldr.w r11, [r0], #4\n" MPLAN_TILES_WEIGHTS MPLAN_TILES_FIRST("0")        \
    "smlad r4, r2, r12, r10; smlad r5, r2, lr, r11; smlad r6, r3, r12, r10\n"                      \
    "smlad r7, r3, lr, r11\n" MPLAN_TILES_FIRST("8")                                               \
    "smlad r8, r2, r12, r10; smlad r9, r2, lr, r11; smlad r10, r3, r12, r10\n"                     \
    "smlad r11, r3, lr, r11\n"

/* All output channels of the tiles that there are, two at a time. */
static MPLAN_TILES_NAKED void mplan_tiles4_channels(MPLAN_TILES_UNUSED const mplan_tiles_t *job)
{
    __asm volatile(
        MPLAN_TILES_BEGIN("40", "576")
        "1:\n" MPLAN_TILES_PRODUCTS("576", MPLAN_TILES4_FIRST)
        "ldr r2, [sp, #20]; ldr r1, [r2, #12]; ldr.w lr, [r2, #28]; str r0, [sp, #32]\n"
        "add.w r0, r2, #64; movw r11, #0xC71C; movt r11, #0x0071\n"
        "4:\n" /* a tile */
        MPLAN_TILES4_OUTPUTS("0") "sub r0, r0, #64; sub r1, r1, #768\n"
        MPLAN_TILES4_OUTPUTS("1")
        "ldr r3, [sp, #20]; ldr r3, [r3, #32]; sub.w r1, r1, #760; cmp r0, r3; bne.w 4b\n"
        "ldr r3, [sp, #20]; ldr r3, [r3, #4]; add r2, r2, #1; str r2, [sp, #24]\n"
        "ldr r0, [sp, #32]; add r0, r0, #16; cmp r0, r3; bne.w 1b\n"
        "add sp, sp, #40; pop {r4-r11, pc}\n");
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TILES4_DSP_H */
