/* SPDX-License-Identifier: 0BSD */
#include "mplan_columns_s8_dsp.h"

/* Outputs side by side, of what and where to. `loops`: lines that they see less one in the high
 * half, bytes of a line in the low half. */
typedef struct {
    uint32_t line; /* bytes from the first line to the first pair seen */
    uint32_t taps; /* bytes from the weights to the first row of them that sees a line */
    uint32_t body;
    uint32_t loops;
    int8_t *out;
} block_t;

MPLAN_STATIC_ASSERT(block_as_in_assembly, sizeof(block_t) == 20U);

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

/* The high words of sums by the multiplier, rounded, onto the zero point; then the next block. */
#define SCALE                                                                                      \
    "ldr r2, [sp]; ldr r3, [sp, #4]; ldr.w r9, [sp, #24]; ldr.w r10, [sp, #48]\n"                  \
    "ldr.w r12, [sp, #8]; ldr.w r11, [sp, #32]; ldr r1, [r9], #4; add r1, r1, r11\n"
#define SCALED(sum) "smmlar " sum ", " sum ", r2, r3\n"
#define WRITTEN(sum) "ssat " sum ", #8, " sum "; strb.w " sum ", [r1]; add r1, r1, r12\n"
#define WRITE3                                                                                     \
    SCALE SCALED("r4") SCALED("r5") SCALED("r6") WRITTEN("r4") WRITTEN("r5")                       \
    "ssat r6, #8, r6; strb r6, [r1]\n"
#define WRITE4                                                                                     \
    SCALE SCALED("r4") SCALED("r5") SCALED("r6") SCALED("r7") WRITTEN("r4") WRITTEN("r5")          \
    WRITTEN("r6") "ssat r7, #8, r7; strb r7, [r1]\n"
#define WRITE5                                                                                     \
    SCALE SCALED("r4") SCALED("r5") SCALED("r6") SCALED("r7") SCALED("r8") WRITTEN("r4")           \
    WRITTEN("r5") WRITTEN("r6") WRITTEN("r7") "ssat r8, #8, r8; strb.w r8, [r1]\n"
#define ONWARD "cmp r9, r10; bne.w 6b; b.w 4f\n"

/*
 * Four channels after four, lines of each; blocks of outputs (r4 to r8) of a channel, a row of
 * weights after the other on pairs of columns r2, r3, r9. Weights that see no column are left out
 * where it is known which. The frame: 24 where outputs go, 44 blocks, 48 their end,
 * 52 weights.
 */
static MPLAN_NAKED void make_lines(__attribute__((unused)) const mplan_column_lines_t *lines)
{
    __asm volatile(
        MPLAN_ENTERED
        "push {r4-r11, lr}; sub sp, #60; str r0, [sp, #40]; ldm r0, {r1-r4}; movs r5, #0\n"
        "str r1, [sp, #4]; str r2, [sp, #8]; str r3, [sp, #44]; str r4, [sp, #48]\n"
        "str r5, [sp, #32]\n"
        "0:\n" /* four channels */
        MPLAN_FILL_LINES
        "5:\n" /* a channel */
        "ldr r2, [sp, #20]; ldr.w r9, [sp, #44]; ldm r2!, {r3, r4}; str r3, [sp, #12]\n"
        "str r4, [sp]; str r2, [sp, #52]\n"
        "6:\n" /* a block */
        "ldr.w r12, [sp, #16]; ldr.w r10, [sp, #52]; ldr r4, [sp, #12]\n"
        "ldm.w r9!, {r0, r1, r2, lr}; str.w r9, [sp, #24]; add r0, r0, r12; add r1, r1, r10\n"
        "mov r5, r4; mov r6, r4; mov r7, r4; mov r8, r4\n"
        "tbh [pc, r2, lsl #1]\n"
        "9: .2byte (50f - 9b) / 2, (51f - 9b) / 2, (52f - 9b) / 2, (53f - 9b) / 2\n"
        ".2byte (54f - 9b) / 2, (55f - 9b) / 2, (56f - 9b) / 2, (57f - 9b) / 2\n"
        ".2byte (58f - 9b) / 2, (59f - 9b) / 2, (60f - 9b) / 2, (61f - 9b) / 2\n"
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
        BODY("57", BEGIN SUM("r4", "r2", "r10") SUM("r5", "r2", "r11") SUM("r6", "r2", "r9")
             RIGHT("r7", "r2", "r9") LEFT("r4", "r3", "r12") SUM("r5", "r3", "r12")
             SUM("r6", "r3", "r10") SUM("r7", "r3", "r11") SUM("r8", "r3", "r9")
             "ldr.w r2, [r0, #32]\n" LEFT("r6", "r2", "r12") ALONE("r7", "r2", "r12")
             ALONE("r8", "r2", "r10"))
        WRITE5 ONWARD
        BODY("58", BEGIN SUM("r4", "r2", "r10") SUM("r5", "r2", "r11") SUM("r6", "r2", "r9")
             RIGHT("r7", "r2", "r9") LEFT("r4", "r3", "r12") SUM("r5", "r3", "r12")
             SUM("r6", "r3", "r10") SUM("r7", "r3", "r11")
             "ldr.w r2, [r0, #32]\n" LEFT("r6", "r2", "r12") SUM("r7", "r2", "r12"))
        WRITE4 ONWARD
        BODY("59", BEGIN RIGHT("r4", "r2", "r9") SUM("r4", "r3", "r11") SUM("r5", "r3", "r9")
             RIGHT("r6", "r3", "r9")
             NEXT("32", "48") SUM("r4", "r2", "r12") SUM("r5", "r2", "r10") SUM("r6", "r2", "r11")
             SUM("r7", "r2", "r9") LEFT("r5", "r3", "r12") ALONE("r6", "r3", "r12")
             ALONE("r7", "r3", "r10"))
        WRITE4 ONWARD
        BODY("60", BEGIN SUM("r4", "r2", "r9") SUM("r4", "r3", "r10") SUM("r5", "r3", "r9")
             NEXT("32", "48") SUM("r4", "r2", "r11") SUM("r5", "r2", "r10") SUM("r6", "r2", "r9")
             SUM("r4", "r3", "r12") SUM("r5", "r3", "r11") SUM("r6", "r3", "r10")
             SUM("r7", "r3", "r9")
             NEXT("64", "80") "ldr.w r8, [r0, #96]\n" SUM("r5", "r2", "r12")
             SUM("r6", "r2", "r11") SUM("r7", "r2", "r10") SUM("r6", "r3", "r12")
             SUM("r7", "r3", "r11") SUM("r7", "r8", "r12"))
        WRITE4 ONWARD
        BODY("61", "ldr.w r2, [r0]; ldr.w r3, [r0, #16]; ldr.w r10, [r1], #4\n"
             "ldr.w r12, [r1], #4; sxtb16 r9, r10; sxtb16 r10, r10, ror #8\n"
             SUM("r4", "r2", "r9") SUM("r4", "r3", "r10") SUM("r5", "r3", "r9")
             NEXT("32", "48") ALONE("r4", "r2", "r12") SUM("r5", "r2", "r10")
             SUM("r6", "r2", "r9") ALONE("r5", "r3", "r12") SUM("r6", "r3", "r10")
             SUM("r7", "r3", "r9")
             NEXT("64", "80") ALONE("r6", "r2", "r12") SUM("r7", "r2", "r10")
             ALONE("r7", "r3", "r12"))
        WRITE4 ONWARD
        "4:\n"
        MPLAN_NEXT_OF_LINES
        "add sp, #60; pop {r4-r11, pc}\n");
}

/* The blocks of output rows [y0, y1); `first` is the input row of the first line. */
static block_t *find_blocks(const mplan_columns_s8_dsp_t *p, uint32_t line_bytes, block_t *block,
                            int8_t *out, size_t y0, size_t y1, int32_t first)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t at = (int32_t)(y * p->stride) - (int32_t)p->pad_top;
        const int32_t top = (at < 0) ? 0 : at;
        const int32_t below = at + (int32_t)p->kernel;
        const int32_t bottom = (below > (int32_t)p->in_h) ? (int32_t)p->in_h : below;
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];
        uint32_t number = 0U;

        for (uint32_t done = 0U; done < p->out_w; done += p->block) {
            const uint32_t most = (uint32_t)p->out_w - p->block;
            const uint32_t x = (done > most) ? most : done;
            const uint32_t pair = (p->stride == 2U) ? x : (number * p->ahead);

            block->line = ((uint32_t)(top - first) * line_bytes) + (pair * MPLAN_PAIR_BYTES);
            block->taps = (uint32_t)(top - at) * p->tap_bytes;
            block->body = p->body + ((p->stride == 2U) ? 0U : number);
            block->loops = ((uint32_t)(bottom - top - 1) << 16) | line_bytes;
            block->out = &to[x * p->channels];
            block++;
            number++;
        }
    }
    return block;
}

MPLAN_KERNEL
void mplan_columns_s8_dsp(const mplan_columns_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1, int8_t *scratch)
{
    const int32_t above = (int32_t)(y0 * p->stride) - (int32_t)p->pad_top;
    const int32_t below = (int32_t)((y1 - 1U) * p->stride) + (int32_t)p->kernel -
                          (int32_t)p->pad_top;
    const int32_t first = (above < 0) ? 0 : above;
    const int32_t end = (below > (int32_t)p->in_h) ? (int32_t)p->in_h : below;
    mplan_column_lines_t *const lines = (mplan_column_lines_t *)(void *)scratch;
    block_t *const blocks = (block_t *)(void *)&lines[1];
    block_t *const blocks_end =
        find_blocks(p, p->pairs * MPLAN_PAIR_BYTES, blocks, out, y0, y1, first);

    lines->places = blocks;
    lines->places_end = blocks_end;
    mplan_find_lines(p, lines, blocks_end, in, first, end, 0, 0);
    make_lines(lines);
    mplan_limit_columns(p, out, y0, y1);
}
