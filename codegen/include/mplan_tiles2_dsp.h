/* SPDX-License-Identifier: 0BSD */
/* mplan_tiles2_dsp.h - tiles of 2 by 2 output pixels, F(2x2, 3x3): see mplan_winograd_s8_dsp.h. */
#ifndef MPLAN_TILES2_DSP_H
#define MPLAN_TILES2_DSP_H

#include "mplan_tiles_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Four pixels of the tile's row into four registers from `a` on; `moves` on to the next word. */
#define MPLAN_TILES2_PIXELS(row, a, b, c, d, half, moves)                                          \
    "ldr r3, [sp, #" row "]\n"                                                                     \
    "ldr.w " a ", [r3]; ldr.w " b ", [r3, r1]; ldr.w " c ", [r3, r1, lsl #1]\n"                    \
    "ldr.w " d ", [r3, r2]\n" moves(row)                                                           \
    "sxtb16 " a ", " a half "; sxtb16 " b ", " b half "\n"                                         \
    "sxtb16 " c ", " c half "; sxtb16 " d ", " d half "\n"
#define MPLAN_TILES2_STAYS(row) ""
#define MPLAN_TILES2_MOVES(row) "add r3, r3, #4; str r3, [sp, #" row "]\n"

#define MPLAN_TILES2_STORE(at, a, b, c, d)                                                         \
    "str.w " a ", [r0, #" at " + 0]; str.w " b ", [r0, #" at " + 16]\n"                            \
    "str.w " c ", [r0, #" at " + 32]; str.w " d ", [r0, #" at " + 48]\n"

/* Two channels of each four: along the rows 2, 0, 1, 3, and down the columns as they come. */
#define MPLAN_TILES2_HALF(at, half, moves)                                                         \
    MPLAN_TILES2_PIXELS("8", "r8", "r9", "r10", "r11", half, moves)                                \
    "ssub16 r4, r8, r10; sadd16 r5, r9, r10; ssub16 r6, r10, r9; ssub16 r7, r9, r11\n"             \
    MPLAN_TILES2_PIXELS("0", "r8", "r9", "r10", "r11", half, moves)                                \
    "ssub16 r8, r8, r10; sadd16 r12, r9, r10; ssub16 r10, r10, r9; ssub16 r11, r9, r11\n"          \
    "ssub16 r8, r8, r4; ssub16 r12, r12, r5; ssub16 r10, r10, r6; ssub16 r11, r11, r7\n"           \
    MPLAN_TILES2_STORE(at, "r8", "r12", "r10", "r11")                                              \
    MPLAN_TILES2_PIXELS("4", "r8", "r9", "r10", "r11", half, moves)                                \
    "ssub16 r8, r8, r10; sadd16 r12, r9, r10; ssub16 r10, r10, r9; ssub16 r11, r9, r11\n"          \
    "sadd16 r3, r8, r4; sadd16 r9, r12, r5; sadd16 lr, r10, r6\n"                                  \
    "ssub16 r4, r4, r8; ssub16 r5, r5, r12; ssub16 r6, r6, r10\n"                                  \
    "str.w r3, [r0, #" at " + 64]; str.w r9, [r0, #" at " + 80]\n"                                 \
    "sadd16 r3, r11, r7; ssub16 r7, r7, r11\n"                                                     \
    "str.w lr, [r0, #" at " + 96]; str.w r3, [r0, #" at " + 112]\n"                                \
    MPLAN_TILES2_STORE(at " + 128", "r4", "r5", "r6", "r7")                                        \
    MPLAN_TILES2_PIXELS("12", "r4", "r5", "r6", "r7", half, moves)                                 \
    "ssub16 r4, r4, r6; sadd16 r9, r5, r6; ssub16 r6, r6, r5; ssub16 r7, r5, r7\n"                 \
    "ssub16 r4, r8, r4; ssub16 r9, r12, r9; ssub16 r6, r10, r6; ssub16 r7, r11, r7\n"              \
    MPLAN_TILES2_STORE(at " + 192", "r4", "r9", "r6", "r7")

/* B' d B of one tile, four channels at a time; `to` is its lane of the transformed inputs. */
static MPLAN_TILES_NAKED void mplan_tiles2_inputs(MPLAN_TILES_UNUSED const mplan_tiles_t *job,
                                                  MPLAN_TILES_UNUSED uint32_t *to)
{
    __asm volatile("push {r4-r11, lr}; sub sp, sp, #20\n"
                   "mov r12, r0; mov r0, r1; ldr.w r1, [r12, #36]; add r2, r1, r1, lsl #1\n"
                   "add r12, r12, #40; ldmia r12, {r4-r7}; stmia sp, {r4-r7}\n"
                   "add r4, r4, r1; str r4, [sp, #16]\n"
                   "1:\n" MPLAN_TILES2_HALF("0", "", MPLAN_TILES2_STAYS)
                   MPLAN_TILES2_HALF("256", ", ror #8", MPLAN_TILES2_MOVES)
                   "ldr r3, [sp]; ldr r12, [sp, #16]; add r0, r0, #512; cmp r3, r12; bne.w 1b\n"
                   "add sp, sp, #20; pop {r4-r11, pc}\n");
}

/* A column of sums of a tile: s0 = m0 + m1 + m2, s1 = m1 - m2 - m3. */
#define MPLAN_TILES2_COLUMN(first, s0, s1)                                                         \
    "ldr.w r8, [r1, #" first "]; ldr.w r9, [r1, #" first " + 128]\n"                               \
    "ldr.w r10, [r1, #" first " + 256]; ldr.w r11, [r1, #" first " + 384]\n"                       \
    "add r8, r8, r9; sub r9, r9, r10; add " s0 ", r8, r10; sub " s1 ", r9, r11\n"

/* One channel of a tile's outputs: A' M A / 4, requantized; `outs` are where they go. */
#define MPLAN_TILES2_OUTPUTS(channel, outs)                                                        \
    MPLAN_TILES2_COLUMN("0 + 4 * " channel, "r4", "r6")                                            \
    MPLAN_TILES2_COLUMN("32 + 4 * " channel, "r5", "r7") "add r4, r4, r5; add r6, r6, r7\n"        \
    MPLAN_TILES2_COLUMN("64 + 4 * " channel, "r8", "r9")                                           \
    "add r4, r4, r8; sub r5, r5, r8; add r6, r6, r9; sub r7, r7, r9\n"                             \
    MPLAN_TILES2_COLUMN("96 + 4 * " channel, "r8", "r9")                                           \
    "ldr r2, [r0, #8 * " channel "]; ldr r3, [r0, #8 * " channel " + 4]\n"                         \
    "sub r5, r5, r8; sub r7, r7, r9\n"                                                             \
    "add r4, r2, r4, asr #2; add r5, r2, r5, asr #2\n"                                             \
    "add r6, r2, r6, asr #2; add r7, r2, r7, asr #2\n"                                             \
    "ldr r2, [sp, #24]; ldmia.w " outs ", {r8-r11}\n"                                              \
    "smmlar r4, r4, r3, lr; smmlar r5, r5, r3, lr; smmlar r6, r6, r3, lr; smmlar r7, r7, r3, lr\n" \
    "ssat r4, #8, r4; ssat r5, #8, r5; ssat r6, #8, r6; ssat r7, #8, r7\n"                         \
    "add r2, r2, #" channel "\n"                                                                   \
    "strb r7, [r11, r2]; strb r6, [r10, r2]; strb r5, [r9, r2]; strb r4, [r8, r2]\n"

#define MPLAN_TILES2_FIRST                                                                         \
    MPLAN_TILES_FIRST("0") MPLAN_TILES_WEIGHTS                                                     \
    "smuad r4, r2, r12; smuad r5, r2, lr; smuad r6, r3, r12; smuad r7, r3, lr\n"                   \
    MPLAN_TILES_FIRST("8")                                                                         \
    "smuad r8, r2, r12; smuad r9, r2, lr; smuad r10, r3, r12; smuad r11, r3, lr\n"

/* All output channels of the tiles that there are, two at a time. */
static MPLAN_TILES_NAKED void mplan_tiles2_channels(MPLAN_TILES_UNUSED const mplan_tiles_t *job)
{
    __asm volatile(
        MPLAN_TILES_BEGIN("32", "256")
        "1:\n" MPLAN_TILES_PRODUCTS("256", MPLAN_TILES2_FIRST)
        "ldr r2, [sp, #20]; ldr r1, [r2, #12]; ldr.w lr, [r2, #28]; add r12, r2, #64\n"
        "4:\n" /* a tile */
        MPLAN_TILES2_OUTPUTS("0", "r12") MPLAN_TILES2_OUTPUTS("1", "r12!")
        "ldr r3, [sp, #20]; ldr r3, [r3, #32]; add r1, r1, #8; cmp r12, r3; bne.w 4b\n"
        "ldr r3, [sp, #20]; ldr r3, [r3, #4]; add r2, r2, #1; str r2, [sp, #24]\n"
        "add r0, r0, #16; cmp r0, r3; bne.w 1b\n"
        "add sp, sp, #32; pop {r4-r11, pc}\n");
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TILES2_DSP_H */
