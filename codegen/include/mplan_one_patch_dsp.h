/* SPDX-License-Identifier: 0BSD */
/* mplan_one_patch_dsp.h - one pixel, whose inputs are bytes, by all output channels. */
#ifndef MPLAN_ONE_PATCH_DSP_H
#define MPLAN_ONE_PATCH_DSP_H

#include <string.h>

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the assembly reads; its offsets stand there. */
typedef struct {
    const int8_t *in;         /*  0 */
    uint32_t entry;           /*  4: bytes of code to skip; then the address to enter */
    const int8_t *in_end;     /*  8: whole fours from `in` */
    const uint8_t *pre_shift; /* 12: NULL: none */
    int32_t zero_point;       /* 16 */
    int8_t *out;              /* 20: moves on */
    const int32_t *end;       /* 24: of the packed channels */
} mplan_one_patch_t;
MPLAN_STATIC_ASSERT(mplan_one_patch_as_in_assembly,
                    MPLAN_AT(mplan_one_patch_t, in, 0U) && MPLAN_AT(mplan_one_patch_t, entry, 4U) &&
                        MPLAN_AT(mplan_one_patch_t, in_end, 8U) &&
                        MPLAN_AT(mplan_one_patch_t, pre_shift, 12U) &&
                        MPLAN_AT(mplan_one_patch_t, zero_point, 16U) &&
                        MPLAN_AT(mplan_one_patch_t, out, 20U) &&
                        MPLAN_AT(mplan_one_patch_t, end, 24U));

#ifndef MPLAN_FOURS_UNROLL
#define MPLAN_FOURS_UNROLL 8 /* steps of four inputs */
#endif
#define MPLAN_REPEATED(value) MPLAN_TEXT(value)

#ifndef MPLAN_FOURS_STEP /* for weights of 8 bits */
#define MPLAN_FOURS_BYTES 76 /* of code of one */
#define MPLAN_FOURS_WORDS(steps) (8U + (4U * (steps))) /* packed, of four channels */
#define MPLAN_FOURS_BEGIN "ldmia r1!, {r4, r6}\nmov r5, r4; mov r7, r6;"
#define MPLAN_FOURS_STEP                                                                           \
    "ldr.w r2, [r0], #4\n"                                                                         \
    "ldr.w r3, [r1], #4; ldr.w r12, [r1], #4; ldr.w lr, [r1], #4; ldr.w r8, [r1], #4\n"            \
    "sxtb16 r9, r2; sxtb16 r2, r2, ror #8\n"                                                       \
    "smlad r5, r3, r9, r5; smlad r7, r12, r9, r7\n"                                                \
    "sxtb16 r3, r3; sxtb16 r12, r12\n"                                                             \
    "smlad r4, r3, r9, r4; smlad r6, r12, r9, r6\n"                                                \
    "smlad r5, lr, r2, r5; smlad r7, r8, r2, r7\n"                                                 \
    "sxtb16 lr, lr; sxtb16 r8, r8\n"                                                               \
    "smlad r4, lr, r2, r4; smlad r6, r8, r2, r6\n"
#define MPLAN_FOURS_SUMS                                                                           \
    "ldr r2, [r11, #12]; ldmia r1!, {r3, r12}\n"                                                   \
    "sub r5, r5, r4; add r5, r3, r5, asr #8; sub r7, r7, r6; add r7, r12, r7, asr #8\n"
#endif

/*
 * One pixel by four output channels at a time, until job->end.
 *
 * A step does 16 multiply-accumulates in 20 cycles: five loads in a row (6 cycles), two sign
 * extensions of four inputs, eight dual multiplies, four sign extensions. A weight word holds two
 * taps of 256 * b + a. As it is, it adds to the sum of 256 * b + a (r5, and r7 for c, d); its low
 * bytes extended, to the sum of a (r4, r6). The sum of b is their difference / 256, exactly:
 * wrapping does not matter.
 *
 * The loop is entered in its middle where the number of steps is no multiple of its length.
 */
static MPLAN_NAKED void mplan_one_patch_fours(
    __attribute__((unused)) const int32_t *packed,
    __attribute__((unused)) mplan_one_patch_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}\n"
        "ldr r2, [r1, #4]; adr r3, 2f; add r2, r2, r3; orr r2, r2, #1\n"
        "str r2, [r1, #4]; mov r11, r1; mov r1, r0\n"
        "1:\n" /* four outputs */
        "ldr r0, [r11]; ldr r2, [r11, #4]; ldr r10, [r11, #8]\n" MPLAN_FOURS_BEGIN "bx r2\n"
        ".balign 4\n"
        "2:\n"
        ".rept " MPLAN_REPEATED(MPLAN_FOURS_UNROLL) "\n"
        MPLAN_FOURS_STEP
        ".endr\n" MPLAN_CODE_BYTES("2b", MPLAN_FOURS_UNROLL * MPLAN_FOURS_BYTES)
        "cmp r0, r10; bne.w 2b\n"
        MPLAN_FOURS_SUMS
        "cmp r2, #0; bne 4f\n"
        "3:\n" /* requantize: sum * multiplier, its high word rounded, onto the zero point */
        "ldr r8, [r11, #16]; ldr r0, [r11, #20]; ldr r9, [r11, #24]\n"
        "ldmia r1!, {r2, r3, r12, lr}\n"
        "smmlar r4, r4, r2, r8; smmlar r5, r5, r3, r8\n"
        "smmlar r6, r6, r12, r8; smmlar r7, r7, lr, r8\n"
        "ssat r4, #8, r4; ssat r5, #8, r5; ssat r6, #8, r6; ssat r7, #8, r7\n"
        "strb r4, [r0], #1; strb r5, [r0], #1; strb r6, [r0], #1; strb r7, [r0], #1\n"
        "str r0, [r11, #20]; cmp r1, r9; bne.w 1b\n"
        "pop {r4-r11, pc}\n"
        "4:\n" /* left shifts of four outputs */
        "ldrb r3, [r2], #1; ldrb r12, [r2], #1; ldrb lr, [r2], #1; ldrb r8, [r2], #1\n"
        "lsl r4, r4, r3; lsl r5, r5, r12; lsl r6, r6, lr; lsl r7, r7, r8\n"
        "str r2, [r11, #12]; b 3b\n");
}

/* Channels from packed on whose number is a multiple of four. */
static inline void mplan_one_patch_channels(mplan_one_patch_t *job, const int32_t *packed,
                                            int8_t *out, size_t count)
{
    const size_t steps = (size_t)(job->in_end - job->in) / 4U;

    job->entry = (uint32_t)(((0U - steps) % MPLAN_FOURS_UNROLL) * MPLAN_FOURS_BYTES);
    job->out = out;
    job->end = &packed[(count / 4U) * MPLAN_FOURS_WORDS(steps)];
    mplan_one_patch_fours(packed, job);
}

/* All channels of an output pixel. */
static inline void mplan_one_patch(mplan_one_patch_t *job, const int32_t *packed, size_t count,
                                   int8_t *out)
{
    const uint8_t *const pre_shift = job->pre_shift;
    const size_t rest = count % 4U;
    const size_t whole = count - rest;

    job->end = packed;
    if (whole > 0U) {
        mplan_one_patch_channels(job, packed, out, whole);
    }
    if (rest > 0U) {
        int8_t spare[4];

        mplan_one_patch_channels(job, job->end, spare, 4U);
        (void)memcpy(&out[whole], spare, rest);
    }
    job->pre_shift = pre_shift;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ONE_PATCH_DSP_H */
