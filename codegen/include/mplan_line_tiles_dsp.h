/* SPDX-License-Identifier: 0BSD */
/* mplan_line_tiles_dsp.h - tiles of one or two at a time: see mplan_winograd_line_s8_dsp.h. */
#ifndef MPLAN_LINE_TILES_DSP_H
#define MPLAN_LINE_TILES_DSP_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the assembly reads. Its offsets stand there. */
typedef struct {
    const int32_t *packed; /*  0: weights of four channels at two positions, and where they end */
    const int8_t *inputs;  /*  4: transformed: for each two input channels [position][lane] */
    const int8_t *stop;    /*  8: behind them */
    int32_t *sums;         /* 12: of four channels: [position][lane][channel] */
    uint32_t fours;        /* 16: of output channels */
    uint32_t next;         /* 20: bytes of packed from there to the next four channels */
    int8_t *const *outs;   /* 24: where the pixels of the tiles go, the last one of each first */
    uint32_t channel;      /* 28: of them, the first */
    int32_t zero_point;    /* 32: of the output */
} mplan_line_tiles_t;
MPLAN_STATIC_ASSERT(mplan_line_tiles_as_in_assembly,
                    MPLAN_AT(mplan_line_tiles_t, packed, 0U) &&
                        MPLAN_AT(mplan_line_tiles_t, inputs, 4U) &&
                        MPLAN_AT(mplan_line_tiles_t, stop, 8U) &&
                        MPLAN_AT(mplan_line_tiles_t, sums, 12U) &&
                        MPLAN_AT(mplan_line_tiles_t, fours, 16U) &&
                        MPLAN_AT(mplan_line_tiles_t, next, 20U) &&
                        MPLAN_AT(mplan_line_tiles_t, outs, 24U) &&
                        MPLAN_AT(mplan_line_tiles_t, channel, 28U) &&
                        MPLAN_AT(mplan_line_tiles_t, zero_point, 32U));

/*
 * Two channels of each four, widened and raised by 128: 65536 * high + low, whose sums and
 * differences are halves again once `lift` keeps the low one from being negative.
 */
#define MPLAN_LINE_LIFT(to) "add " to ", " to ", #2048\n"

/* Positions 1 and 2 of d1 to d4, in r8 to r11. */
#define MPLAN_LINE_SUMS(half, at, other)                                                           \
    "sxtab16 r3, lr, r9" half "; sxtab16 r12, lr, r11" half "; sub r12, r12, r3, lsl #2\n"         \
    "sxtab16 r3, lr, r8" half "; sxtab16 r1, lr, r10" half "; sub r1, r1, r3, lsl #2\n"            \
    MPLAN_LINE_LIFT("r12") "add r3, r12, r1; sub r12, r12, r1\n"                                   \
    "str.w r3, [r0, #" at "]; str.w r12, [r0, #" at " + " other "]\n"
/* Positions 3 and 4. */
#define MPLAN_LINE_DIFFERENCES(half, at, other)                                                    \
    "sxtab16 r3, lr, r11" half "; sxtab16 r12, lr, r9" half "; sub r3, r3, r12\n"                  \
    "sxtab16 r12, lr, r10" half "; sxtab16 r1, lr, r8" half "; sub r12, r12, r1\n"                 \
    MPLAN_LINE_LIFT("r3") "add r1, r3, r12, lsl #1; sub r3, r3, r12, lsl #1\n"                     \
    "str.w r1, [r0, #" at "]; str.w r3, [r0, #" at " + " other "]\n"

/*
 * Two positions of the three lines of one tile, four channels at a time. r0: where they go; r1:
 * six pixels of each line; r2: channels. `other` is 4 for each lane, `half` twice, `four` four
 * times as much.
 */
#define MPLAN_LINE_INNER(transform, other, half, four)                                             \
    "add r3, r1, #72; push {r1-r11, lr}; mov.w lr, #0x00800080\n"                                  \
    "1:\n"                                                                                         \
    "ldr r3, [sp]; ldr r2, [sp, #4]; ldr r4, [r3, #4]; ldr r5, [r3, #8]; ldr r6, [r3, #12]\n"      \
    "ldr r7, [r3, #16]; add r3, r3, #24; str r3, [sp]; add r2, r2, r4\n"                           \
    ".balign 4\n2:\n"                                                                              \
    "ldr.w r8, [r4], #4; ldr.w r9, [r5], #4; ldr.w r10, [r6], #4; ldr.w r11, [r7], #4\n"           \
    transform("", "0", other) transform(", ror #8", half, other)                                   \
    "cmp r4, r2; add.w r0, r0, #" four "; bne.w 2b\n"                                              \
    "ldr r3, [sp]; ldr r2, [sp, #8]; cmp r3, r2; bne.w 1b\n"                                       \
    "pop {r1-r11, pc}\n"

/* Position 0 of d0, d2, d4, or position 5 of d1, d3, d5, in r10 to r12. */
#define MPLAN_LINE_OUTER_HALF(half, at)                                                            \
    "sxtab16 r2, lr, r11" half "; sxtab16 r3, lr, r12" half "; sub r3, r3, r2\n"                   \
    "sub r3, r3, r2, lsl #2; sxtab16 r2, lr, r10" half "; add r3, r3, r2, lsl #2\n"                \
    MPLAN_LINE_LIFT("r3") "str.w r3, [r0, #" at "]\n"

/* As the others: positions 0 and 5. */
#define MPLAN_LINE_OUTER(other, half, four)                                                        \
    "add r3, r1, #72; push {r1-r11, lr}; mov.w lr, #0x00800080\n"                                  \
    "1:\n"                                                                                         \
    "ldr r3, [sp]; ldr r2, [sp, #4]; ldmia r3!, {r4-r9}; str r3, [sp]; add r1, r2, r4\n"           \
    ".balign 4\n2:\n"                                                                              \
    "ldr.w r10, [r4], #4; ldr.w r11, [r6], #4; ldr.w r12, [r8], #4\n"                              \
    MPLAN_LINE_OUTER_HALF("", "0") MPLAN_LINE_OUTER_HALF(", ror #8", half)                         \
    "ldr.w r10, [r5], #4; ldr.w r11, [r7], #4; ldr.w r12, [r9], #4\n"                              \
    MPLAN_LINE_OUTER_HALF("", other) MPLAN_LINE_OUTER_HALF(", ror #8", half " + " other)           \
    "cmp r4, r1; add.w r0, r0, #" four "; bne.w 2b\n"                                              \
    "ldr r3, [sp]; ldr r2, [sp, #8]; cmp r3, r2; bne.w 1b\n"                                       \
    "pop {r1-r11, pc}\n"

/* Weights of two channels into two registers; those of a kernel for weights of 4 bits are int8. */
#ifdef MPLAN_LINE_BYTES
#define MPLAN_LINE_PASS_WORDS(in_c) (8U + (6U * (size_t)(in_c)))
#define MPLAN_LINE_TWO(a, b)                                                                       \
    "ldr.w " a ", [r0], #4; sxtb16 " b ", " a ", ror #8; sxtb16 " a ", " a "\n"
#else
#define MPLAN_LINE_PASS_WORDS(in_c) (8U + (12U * (size_t)(in_c)))
#define MPLAN_LINE_TWO(a, b) "ldr.w " a ", [r0], #4; ldr.w " b ", [r0], #4\n"
#endif

/* One tile: 16 products in 20 cycles, of bytes in 24. */
#define MPLAN_LINE_STEPS1(at)                                                                      \
    "ldr.w r2, [r1, #" at "]; ldr.w r3, [r1, #" at " + 8]\n"                                       \
    MPLAN_LINE_TWO("r8", "r9") MPLAN_LINE_TWO("r10", "r11")                                        \
    "smlad r4, r2, r8, r4; smlad r5, r2, r9, r5; smlad r6, r2, r10, r6; smlad r7, r2, r11, r7\n"   \
    MPLAN_LINE_TWO("r8", "r9") MPLAN_LINE_TWO("r10", "r11")                                        \
    "smlad r4, r3, r8, r4; smlad r5, r3, r9, r5; smlad r6, r3, r10, r6; smlad r7, r3, r11, r7\n"
/* Two: 16 products in 16 cycles, of bytes in 18. */
#define MPLAN_LINE_STEP2(at)                                                                       \
    "ldr.w r2, [r1, #" at "]; ldr.w r3, [r1, #" at " + 4]\n" MPLAN_LINE_TWO("r12", "lr")           \
    "smlad r4, r2, r12, r4; smlad r5, r2, lr, r5; smlad r8, r3, r12, r8; smlad r9, r3, lr, r9\n"   \
    MPLAN_LINE_TWO("r12", "lr")                                                                    \
    "smlad r6, r2, r12, r6; smlad r7, r2, lr, r7; smlad r10, r3, r12, r10\n"                       \
    "smlad r11, r3, lr, r11\n"

/* Four pixels of one channel, the last first; r12 bias, r3 multiplier, r11 2^32 / 24, rounded. */
#define MPLAN_LINE_PIXELS(lane, outer, inner)                                                      \
    "ldr r4, [r1, #" lane " - 2 * " inner "]; ldr.w r5, [r1, #" lane "]\n"                         \
    "ldr.w r6, [r1, #" lane " + " inner "]; ldr.w r7, [r1, #" lane " + 2 * " inner "]\n"           \
    "ldr.w r8, [r1, #" lane " + 3 * " inner "]; ldr r9, [r1, #" lane " - " inner "]\n"             \
    "add r10, r5, r6; sub r5, r5, r6; add r6, r7, r8; sub r7, r7, r8\n"                            \
    "add r4, r4, r10; add r4, r4, r6; add r8, r5, r7, lsl #1; add r10, r10, r6, lsl #2\n"          \
    "add r7, r5, r7, lsl #3; add r7, r7, r9, lsl #1\n"                                             \
    "smmlar r4, r4, r11, r12; smmlar r8, r8, r11, r12\n"                                           \
    "smmlar r10, r10, r11, r12; smmlar r7, r7, r11, r12\n"                                         \
    "smmlar r4, r4, r3, lr; smmlar r8, r8, r3, lr\n"                                               \
    "smmlar r10, r10, r3, lr; smmlar r7, r7, r3, lr\n"                                             \
    "ldr r5, [r0, #" outer "]; ldr r6, [r0, #" outer " + 4]; ldr.w r9, [r0, #" outer " + 8]\n"     \
    "ssat r4, #8, r4; ssat r8, #8, r8; ssat r10, #8, r10; ssat r7, #8, r7\n"                       \
    "strb r7, [r5, r2]; ldr r5, [r0, #" outer " + 12]\n"                                           \
    "strb.w r10, [r6, r2]; strb.w r8, [r9, r2]; strb r4, [r5, r2]\n"

/*
 * Sums of four output channels after four at two positions; where the job has `outs`, their
 * outputs, for which these positions are 0 and 5, and the sums of the others follow.
 *
 * r0 walks over the weights, r1 over the inputs, `steps` the loop of 12 steps. The stack: 0 inputs,
 * 4 stop, 8 sums, 12 fours, 16 next, 20 outs, 24 the channel, 28 zero point, 32 bias, multiplier.
 */
#define MPLAN_LINE_PRODUCTS(start, steps, bytes, sums, other, position, pixels)                    \
    "push {r4-r11, lr}; sub sp, sp, #36; mov r12, sp; ldmia.w r0, {r0-r8}\n"                       \
    "stmia.w r12, {r1-r8}\n"                                                                       \
    ".balign 4\n"                                                                                  \
    "3:\n" start ".balign 4\n2:\n" steps                                                           \
    "ldr r2, [sp, #4]; add.w r1, r1, #" bytes "; cmp r1, r2; blo.w 2b\n"                           \
    "ldr r3, [sp, #8]; stmia r3!, {" sums "}\n"                                                    \
    "bne 4f; ldr r1, [sp]; str r3, [sp, #8]; add r1, r1, #" position "; b.w 3b\n"                  \
    "4:\n"                                                                                         \
    "ldr r4, [sp, #20]; add r5, r3, #" other "; str r5, [sp, #8]; cmp r4, #0; beq.w 6f\n"          \
    "str r0, [sp, #32]; mov r0, r4; mov r1, r3; ldr r2, [sp, #24]; ldr.w lr, [sp, #28]\n"          \
    "movw r11, #0xAAAB; movt r11, #0x0AAA\n"                                                       \
    ".balign 4\n5:\n"                                                                              \
    "ldr r4, [sp, #32]; ldr.w r12, [r4], #4; ldr.w r3, [r4], #4; str r4, [sp, #32]\n" pixels       \
    "add r1, r1, #4; add r2, r2, #1; tst r2, #3; bne.w 5b\n"                                       \
    "ldr r0, [sp, #32]; str r2, [sp, #24]\n"                                                       \
    "6:\n"                                                                                         \
    "ldr r2, [sp, #16]; ldr r3, [sp, #12]; ldr r1, [sp]; add r0, r0, r2\n"                         \
    "subs r3, r3, #1; str r3, [sp, #12]; bne.w 3b\n"                                               \
    "add sp, sp, #36; pop {r4-r11, pc}\n"

#define MPLAN_LINE_UNUSED __attribute__((unused))
static MPLAN_NAKED void mplan_line1_sums(MPLAN_LINE_UNUSED int8_t *to,
                           MPLAN_LINE_UNUSED const int8_t *const *pixels,
                           MPLAN_LINE_UNUSED uint32_t in_c)
{
    __asm volatile(MPLAN_LINE_INNER(MPLAN_LINE_SUMS, "4", "8", "16"));
}

static MPLAN_NAKED void mplan_line1_differences(MPLAN_LINE_UNUSED int8_t *to,
                           MPLAN_LINE_UNUSED const int8_t *const *pixels,
                           MPLAN_LINE_UNUSED uint32_t in_c)
{
    __asm volatile(MPLAN_LINE_INNER(MPLAN_LINE_DIFFERENCES, "4", "8", "16"));
}

static MPLAN_NAKED void mplan_line1_outer(MPLAN_LINE_UNUSED int8_t *to,
                           MPLAN_LINE_UNUSED const int8_t *const *pixels,
                           MPLAN_LINE_UNUSED uint32_t in_c)
{
    __asm volatile(MPLAN_LINE_OUTER("4", "8", "16"));
}

static MPLAN_NAKED void mplan_line2_sums(MPLAN_LINE_UNUSED int8_t *to,
                           MPLAN_LINE_UNUSED const int8_t *const *pixels,
                           MPLAN_LINE_UNUSED uint32_t in_c)
{
    __asm volatile(MPLAN_LINE_INNER(MPLAN_LINE_SUMS, "8", "16", "32"));
}

static MPLAN_NAKED void mplan_line2_differences(MPLAN_LINE_UNUSED int8_t *to,
                           MPLAN_LINE_UNUSED const int8_t *const *pixels,
                           MPLAN_LINE_UNUSED uint32_t in_c)
{
    __asm volatile(MPLAN_LINE_INNER(MPLAN_LINE_DIFFERENCES, "8", "16", "32"));
}

static MPLAN_NAKED void mplan_line2_outer(MPLAN_LINE_UNUSED int8_t *to,
                           MPLAN_LINE_UNUSED const int8_t *const *pixels,
                           MPLAN_LINE_UNUSED uint32_t in_c)
{
    __asm volatile(MPLAN_LINE_OUTER("8", "16", "32"));
}

static MPLAN_NAKED void mplan_line1_products(MPLAN_LINE_UNUSED const mplan_line_tiles_t *job)
{
    __asm volatile(MPLAN_LINE_PRODUCTS("ldmia.w r0!, {r4-r7}\n",
                                       MPLAN_LINE_STEPS1("0") MPLAN_LINE_STEPS1("16")
                                       MPLAN_LINE_STEPS1("32") MPLAN_LINE_STEPS1("48")
                                       MPLAN_LINE_STEPS1("64") MPLAN_LINE_STEPS1("80"),
                                       "96", "r4-r7", "32", "4",
                                       MPLAN_LINE_PIXELS("0", "0", "16")));
}

static MPLAN_NAKED void mplan_line2_products(MPLAN_LINE_UNUSED const mplan_line_tiles_t *job)
{
    __asm volatile(MPLAN_LINE_PRODUCTS("ldmia.w r0!, {r4-r7}\n"
                                       "mov.w r8, r4; mov.w r9, r5; mov.w r10, r6; mov.w r11, r7\n",
                                       MPLAN_LINE_STEP2("0") MPLAN_LINE_STEP2("16")
                                       MPLAN_LINE_STEP2("32") MPLAN_LINE_STEP2("48")
                                       MPLAN_LINE_STEP2("64") MPLAN_LINE_STEP2("80")
                                       MPLAN_LINE_STEP2("96") MPLAN_LINE_STEP2("112")
                                       MPLAN_LINE_STEP2("128") MPLAN_LINE_STEP2("144")
                                       MPLAN_LINE_STEP2("160") MPLAN_LINE_STEP2("176"),
                                       "192", "r4-r11", "64", "8",
                                       MPLAN_LINE_PIXELS("0", "0", "32")
                                       MPLAN_LINE_PIXELS("16", "16", "32")));
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_LINE_TILES_DSP_H */
