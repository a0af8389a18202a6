/* SPDX-License-Identifier: 0BSD */
/* mplan_two_patches_dsp.h - two pixels, whose inputs are words of int16, by all output channels. */
#ifndef MPLAN_TWO_PATCHES_DSP_H
#define MPLAN_TWO_PATCHES_DSP_H

#include <string.h>

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Output channels; packed as in mplan_conv2d_s8_dsp.h. */
typedef struct {
    const int32_t *packed;
    const uint8_t *pre_shift; /* NULL: none */
    size_t steps;             /* words of a patch, at least 1 */
    size_t count;
} mplan_channels_t;

/* What the assembly reads; it lies right behind the two patches. Its offsets stand there. */
typedef struct {
    const uint32_t *patches;  /*  0: words of pixel 0 and 1 in turn */
    uint32_t skip;            /*  4: bytes of code before the entry */
    const uint8_t *pre_shift; /*  8: NULL: none */
    int32_t zero_point;       /* 12 */
    int8_t *out0;             /* 16: output of pixel 0, moves on */
    int8_t *out1;             /* 20: output of pixel 1, moves on; out0 where there is none */
    const int32_t *end;       /* 24: of the packed channels */
} mplan_two_patches_t;
MPLAN_STATIC_ASSERT(mplan_two_patches_as_in_assembly,
                    MPLAN_AT(mplan_two_patches_t, patches, 0U) &&
                        MPLAN_AT(mplan_two_patches_t, skip, 4U) &&
                        MPLAN_AT(mplan_two_patches_t, pre_shift, 8U) &&
                        MPLAN_AT(mplan_two_patches_t, zero_point, 12U) &&
                        MPLAN_AT(mplan_two_patches_t, out0, 16U) &&
                        MPLAN_AT(mplan_two_patches_t, out1, 20U) &&
                        MPLAN_AT(mplan_two_patches_t, end, 24U) &&
                        (sizeof(mplan_two_patches_t) == 28U));

#define MPLAN_PATCHES_UNROLL 12     /* steps */
#define MPLAN_PATCHES_STEP_BYTES 56 /* of code */

/* Of equal functions of several kernels in an image the linker takes one, as of copies of them. */
#define MPLAN_SHARED MPLAN_KERNEL __attribute__((weak))

void mplan_two_patches_fours(const int32_t *packed, mplan_two_patches_t *job);
void mplan_two_patches(const mplan_channels_t *channels, mplan_two_patches_t *job, int8_t *out0,
                       int8_t *out1);

/*
 * Two pixels by four output channels at a time, until job->end.
 *
 * A step does 16 multiply-accumulates in 15 cycles: four loads in a row (5 cycles), eight dual
 * multiplies, two sign extensions. A weight word holds two taps of 256 * b + a. As it is, it adds
 * to the sums of 256 * b + a (r5 and r9, and r7 and r11 for the channels c, d); its low bytes
 * extended, to the sums of a (r4, r8, r6, r10). A sum of b is their difference / 256, exactly:
 * wrapping does not matter.
 *
 * The first step begins the sums; the loop of 12 is entered in its middle where the steps left are
 * no multiple of 12. At its end r0 points behind the patches, to the job. All of it stays in an
 * instruction cache of 1 KB; wide instructions lie on words, where none waits for its second half.
 */
MPLAN_SHARED MPLAN_NAKED void mplan_two_patches_fours(
    __attribute__((unused)) const int32_t *packed,
    __attribute__((unused)) mplan_two_patches_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, #12; ldr r2, [r1]; ldr r3, [r1, #4]\n"
        "adr r12, 2f; add r3, r3, r12; orr r3, r3, #1; stm sp, {r1-r3}; mov r1, r0\n"
        ".balign 4\n1:\n" /* four channels; r4 and r6 are the biases of a and c */
        "ldr.w r0, [sp, #4]; ldr.w r4, [r1], #4; ldr.w r6, [r1], #4; ldr.w r12, [r1], #4\n"
        "ldr.w lr, [r1], #4; ldr.w r2, [r0], #4; ldr.w r3, [r0], #4; smlad r5, r12, r2, r4\n"
        "smlad r9, r12, r3, r4; smlad r7, lr, r2, r6; smlad r11, lr, r3, r6; sxtb16 r12, r12\n"
        "sxtb16 lr, lr; smlad r8, r12, r3, r4; smlad r4, r12, r2, r4; smlad r10, lr, r3, r6\n"
        "smlad r6, lr, r2, r6; ldr.w pc, [sp, #8]\n"
        "2:\n"
        ".rept 12\n"
        "ldr.w r2, [r0], #4; ldr.w r3, [r0], #4; ldr.w r12, [r1], #4; ldr.w lr, [r1], #4\n"
        "smlad r5, r12, r2, r5; smlad r9, r12, r3, r9; smlad r7, lr, r2, r7\n"
        "smlad r11, lr, r3, r11; sxtb16 r12, r12; sxtb16 lr, lr; smlad r4, r12, r2, r4\n"
        "smlad r8, r12, r3, r8; smlad r6, lr, r2, r6; smlad r10, lr, r3, r10\n"
        ".endr\n" MPLAN_CODE_BYTES("2b", MPLAN_PATCHES_UNROLL * MPLAN_PATCHES_STEP_BYTES)
        "ldr r2, [sp]; cmp r0, r2; bne.w 2b; ldr.w r2, [r0, #8]; ldr.w r12, [r1], #4\n"
        "ldr.w r3, [r1], #4; subs r5, r5, r4; subs r7, r7, r6; sub r9, r9, r8; sub r11, r11, r10\n"
        "add r5, r12, r5, asr #8; add r9, r12, r9, asr #8\n"
        "add r7, r3, r7, asr #8; add r11, r3, r11, asr #8; cmp r2, #0; bne 4f\n"
        "3:\n" /* requantize: sum * multiplier, its high word rounded, onto the zero point */
        "ldr.w r0, [r0, #12]; ldr.w r2, [r1], #4; ldr.w r3, [r1], #4; ldr.w r12, [r1], #4\n"
        "ldr.w lr, [r1], #4; smmlar r4, r4, r2, r0; smmlar r8, r8, r2, r0\n"
        "smmlar r5, r5, r3, r0; smmlar r9, r9, r3, r0; smmlar r6, r6, r12, r0\n"
        "smmlar r10, r10, r12, r0; smmlar r7, r7, lr, r0; smmlar r11, r11, lr, r0\n"
        "ldr r0, [sp]; ldr r2, [r0, #16]; ldr.w r3, [r0, #20]; ldr.w r12, [r0, #24]\n"
        "ssat r8, #8, r8; ssat r9, #8, r9; ssat r10, #8, r10; ssat r11, #8, r11; ssat r4, #8, r4\n"
        "ssat r5, #8, r5; ssat r6, #8, r6; ssat r7, #8, r7\n"
        /* pixel 1 first: where it does not exist, pixel 0 overwrites it */
        "strb r8, [r3], #1; strb r9, [r3], #1; strb r10, [r3], #1; strb r11, [r3], #1\n"
        "strb r4, [r2], #1; strb r5, [r2], #1; strb r6, [r2], #1; strb r7, [r2], #1\n"
        "str r2, [r0, #16]; str r3, [r0, #20]; cmp.w r1, r12; bne.w 1b\n"
        "add sp, #12; pop {r4-r11, pc}\n"
        "4:\n" /* left shifts of four channels */
        "ldrb r3, [r2], #1; ldrb r12, [r2], #1; ldrb lr, [r2], #1; lsl r4, r4, r3; lsl r8, r8, r3\n"
        "ldrb r3, [r2], #1; lsl r5, r5, r12; lsl r9, r9, r12; lsl r6, r6, lr; lsl r10, r10, lr\n"
        "lsl r7, r7, r3; lsl r11, r11, r3; str r2, [r0, #8]; b 3b\n");
}

/* All channels of two output pixels whose patches are made; out1 is out0 where there is one. */
MPLAN_SHARED void mplan_two_patches(const mplan_channels_t *channels, mplan_two_patches_t *job,
                                    int8_t *out0, int8_t *out1)
{
    const size_t rest = channels->count % 4U;

    job->pre_shift = channels->pre_shift;
    job->out0 = out0;
    job->out1 = out1;
    if (job->end != channels->packed) {
        mplan_two_patches_fours(channels->packed, job);
    }
    if (rest > 0U) {
        const int32_t *const last = job->end;
        const size_t whole = channels->count - rest;
        int8_t spare[8];

        job->out0 = spare;
        job->out1 = &spare[4];
        job->end = &last[8U + (2U * channels->steps)];
        mplan_two_patches_fours(last, job);
        job->end = last;
        (void)memcpy(&out1[whole], &spare[4], rest);
        (void)memcpy(&out0[whole], spare, rest);
    }
}

/* Makes a job of the channels; the patches, and behind them the job, lie at `patches`. */
static inline mplan_two_patches_t *mplan_two_patches_at(const mplan_channels_t *channels,
                                                        uint32_t *patches, int32_t zero_point)
{
    void *const behind = &patches[2U * channels->steps];
    mplan_two_patches_t *const job = (mplan_two_patches_t *)behind;
    const uint32_t unroll = MPLAN_PATCHES_UNROLL;
    const uint32_t looped = (uint32_t)channels->steps - 1U;
    const uint32_t skipped = (looped > 0U) ? ((unroll - (looped % unroll)) % unroll) : unroll;

    job->patches = patches;
    job->zero_point = zero_point;
    job->skip = skipped * MPLAN_PATCHES_STEP_BYTES;
    /* of whole fours */
    job->end = &channels->packed[(channels->count / 4U) * (8U + (2U * channels->steps))];
    return job;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TWO_PATCHES_DSP_H */
