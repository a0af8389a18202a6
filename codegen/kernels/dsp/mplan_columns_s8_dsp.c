/* SPDX-License-Identifier: 0BSD */
#include "mplan_columns_s8_dsp.h"

/* A row of weights on a line ends: the next ones, or requantization. */
#define BODY(name, taps)                                                                           \
    ".balign 4\n" name ":\n" taps "uxtah r0, r0, lr; subs.w lr, lr, #0x10000; bpl.w " name "b\n"

#define SUM(sum, x, w) "smlad " sum ", " x ", " w ", " sum "\n"
#define RIGHT(sum, x, w) "smlatb " sum ", " x ", " w ", " sum "\n"  /* right column, first weight */
#define LEFT(sum, x, w) "smlabt " sum ", " x ", " w ", " sum "\n" /* left one, second weight */
#define ALONE(sum, x, w) "smlabb " sum ", " x ", " w ", " sum "\n" /* left one, first weight */
#define NEXT(at0, at1) "ldr.w r2, [r0, #" at0 "]; ldr.w r3, [r0, #" at1 "]\n"

/* Two words of weights, widened to r9 to r12; the first two pairs. */
#define BEGIN                                                                                      \
    "ldr.w r2, [r0]; ldr.w r3, [r0, #16]; ldr.w r10, [r1], #4; ldr.w r12, [r1], #4\n"              \
    "sxtb16 r9, r10; sxtb16 r10, r10, ror #8; sxtb16 r11, r12; sxtb16 r12, r12, ror #8\n"

/* The high words of sums by the multiplier, rounded, onto the zero point. */
#define SCALE "ldr r2, [sp]; ldr r3, [sp, #4]; ldr r1, [sp, #28]; ldr.w r12, [sp, #8]\n"
#define SCALED(sum) "smmlar " sum ", " sum ", r2, r3\n"
#define WRITTEN(sum) "ssat " sum ", #8, " sum "; strb.w " sum ", [r1]; add r1, r1, r12\n"
#define WRITE3                                                                                     \
    SCALE SCALED("r4") SCALED("r5") SCALED("r6") WRITTEN("r4") WRITTEN("r5")                       \
    "ssat r6, #8, r6; strb r6, [r1]\n"
#define WRITE5                                                                                     \
    SCALE SCALED("r4") SCALED("r5") SCALED("r6") SCALED("r7") SCALED("r8") WRITTEN("r4")           \
    WRITTEN("r5") WRITTEN("r6") WRITTEN("r7") "ssat r8, #8, r8; strb.w r8, [r1]\n"
#define ONWARD "ldr.w r9, [sp, #24]; ldr r2, [sp, #48]; cmp r9, r2; bne.w 6b; b.w 4f\n"

/*
 * Four channels after four, lines of each; blocks of outputs (r4 to r8) of a channel, a row of
 * weights after the other on pairs of columns r2, r3, r9. Weights that see no column are left out
 * where it is known which.
 */
static MPLAN_NAKED void make_lines(__attribute__((unused)) const mplan_column_lines_t *lines)
{
    __asm volatile(
        MPLAN_ENTERED
        "push {r4-r11, lr}; sub sp, #52; str r0, [sp, #40]; ldm r0, {r1-r4}; movs r5, #0\n"
        "str r1, [sp, #4]; str r2, [sp, #8]; str r3, [sp, #44]; str r4, [sp, #48]\n"
        "str r5, [sp, #32]\n"
        "0:\n" /* four channels */
        MPLAN_FILL_LINES
        "5:\n" /* a channel */
        "ldr r2, [sp, #20]; ldr.w r9, [sp, #44]; ldm r2!, {r3, r4}; str r3, [sp, #12]\n"
        "str r4, [sp]; str r2, [sp, #20]\n"
        "6:\n" /* a block */
        "ldr.w r12, [sp, #16]; ldr.w r10, [sp, #20]; ldr.w r11, [sp, #32]; ldr r4, [sp, #12]\n"
        "ldm.w r9!, {r0, r1, r2, r3, lr}; str.w r9, [sp, #24]; add r0, r0, r12; add r1, r1, r10\n"
        "add r3, r3, r11; str r3, [sp, #28]; mov r5, r4; mov r6, r4; mov r7, r4; mov r8, r4\n"
        "tbh [pc, r2, lsl #1]\n"
        "9: .2byte (50f - 9b) / 2, (51f - 9b) / 2, (52f - 9b) / 2, (53f - 9b) / 2\n"
        ".2byte (54f - 9b) / 2, (55f - 9b) / 2, (56f - 9b) / 2, 0\n"
        BODY("50", BEGIN SUM("r4", "r2", "r9") SUM("r4", "r3", "r10") SUM("r5", "r3", "r9")
             NEXT("32", "48") SUM("r4", "r2", "r11") SUM("r5", "r2", "r10") SUM("r6", "r2", "r9")
             SUM("r4", "r3", "r12") SUM("r5", "r3", "r11") SUM("r6", "r3", "r10")
             SUM("r7", "r3", "r9")
             NEXT("64", "80") SUM("r5", "r2", "r12") SUM("r6", "r2", "r11") SUM("r7", "r2", "r10")
             SUM("r8", "r2", "r9") SUM("r6", "r3", "r12") SUM("r7", "r3", "r11")
             SUM("r8", "r3", "r10")
             NEXT("96", "112") SUM("r7", "r2", "r12") SUM("r8", "r2", "r11") SUM("r8", "r3", "r12"))
        WRITE5 ONWARD
        BODY("51", "ldr.w r2, [r0]; ldr.w r3, [r0, #16]; ldr.w r10, [r1], #4\n"
             "ldr.w r12, [r1], #4; sxtb16 r9, r10; sxtb16 r10, r10, ror #8\n"
             SUM("r4", "r2", "r9") SUM("r4", "r3", "r10") SUM("r5", "r3", "r9")
             NEXT("32", "48") ALONE("r4", "r2", "r12") SUM("r5", "r2", "r10")
             SUM("r6", "r2", "r9") ALONE("r5", "r3", "r12") SUM("r6", "r3", "r10")
             SUM("r7", "r3", "r9")
             NEXT("64", "80") "ldr.w r11, [r0, #96]\n" ALONE("r6", "r2", "r12")
             SUM("r7", "r2", "r10") SUM("r8", "r2", "r9") ALONE("r7", "r3", "r12")
             SUM("r8", "r3", "r10") ALONE("r8", "r11", "r12"))
        WRITE5 ONWARD
        BODY("52", "ldr.w r2, [r0]; ldr.w r3, [r0, #16]; ldr.w r9, [r0, #32]\n"
             "ldr.w r10, [r1], #4; ldr.w r12, [r1], #4\n"
             "sxtb16 r11, r10; sxtb16 r10, r10, ror #8\n"
             SUM("r4", "r2", "r11") SUM("r4", "r3", "r10") LEFT("r5", "r9", "r10")
             SUM("r6", "r3", "r11") ALONE("r6", "r9", "r10") ALONE("r8", "r9", "r11")
             "ldr.w r11, [r1], #4; sxtb16 r10, r12; sxtb16 r12, r12, ror #8\n"
             SUM("r5", "r2", "r10") SUM("r5", "r3", "r12") SUM("r7", "r3", "r10")
             ALONE("r7", "r9", "r12")
             "sxtb16 r10, r11; sxtb16 r11, r11, ror #8\n"
             SUM("r6", "r2", "r10") SUM("r7", "r2", "r11") RIGHT("r8", "r2", "r11")
             SUM("r8", "r3", "r10"))
        WRITE5 ONWARD
        BODY("53", BEGIN SUM("r4", "r2", "r10") SUM("r5", "r2", "r11") SUM("r6", "r2", "r9")
             RIGHT("r7", "r2", "r9") LEFT("r4", "r3", "r12") SUM("r5", "r3", "r12")
             SUM("r6", "r3", "r10") SUM("r7", "r3", "r11") SUM("r8", "r3", "r9")
             NEXT("32", "48") LEFT("r6", "r2", "r12") SUM("r7", "r2", "r12")
             SUM("r8", "r2", "r10") LEFT("r8", "r3", "r12"))
        WRITE5 ONWARD
        BODY("54", BEGIN RIGHT("r4", "r2", "r9") SUM("r4", "r3", "r11") SUM("r5", "r3", "r9")
             RIGHT("r6", "r3", "r9")
             NEXT("32", "48") SUM("r4", "r2", "r12") SUM("r5", "r2", "r10") SUM("r6", "r2", "r11")
             SUM("r7", "r2", "r9") RIGHT("r8", "r2", "r9") LEFT("r5", "r3", "r12")
             SUM("r6", "r3", "r12") SUM("r7", "r3", "r10") SUM("r8", "r3", "r11"))
        WRITE5 ONWARD
        BODY("55", "ldr.w r2, [r0]; ldr.w r3, [r0, #16]; ldr.w r9, [r0, #32]\n"
             "ldr.w r10, [r1], #4; ldr.w r12, [r1], #4\n"
             "sxtb16 r11, r10; sxtb16 r10, r10, ror #8\n"
             SUM("r4", "r2", "r10") SUM("r5", "r2", "r11") ALONE("r4", "r3", "r12")
             SUM("r5", "r3", "r10") SUM("r6", "r3", "r11") ALONE("r5", "r9", "r12")
             ALONE("r6", "r9", "r10"))
        WRITE3 ONWARD
        BODY("56", BEGIN SUM("r4", "r2", "r9") SUM("r5", "r2", "r10") SUM("r6", "r2", "r11")
             ALONE("r4", "r3", "r12") LEFT("r5", "r3", "r9") ALONE("r6", "r3", "r9"))
        WRITE3 ONWARD
        "4:\n"
        MPLAN_NEXT_OF_LINES
        "add sp, #52; pop {r4-r11, pc}\n");
}

MPLAN_KERNEL
void mplan_columns_s8_dsp(const mplan_columns_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1, int8_t *scratch)
{
    mplan_make_lines(p, make_lines, in, out, y0, y1, scratch);
}
