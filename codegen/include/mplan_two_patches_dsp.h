/* SPDX-License-Identifier: 0BSD */
/* mplan_two_patches_dsp.h - pixels of mplan_conv2d_s8_dsp, two at a time, by all channels. */
#ifndef MPLAN_TWO_PATCHES_DSP_H
#define MPLAN_TWO_PATCHES_DSP_H

#include "mplan_conv2d_s8_dsp.h"

/* MPLAN_FOUR_CHANNELS for weights of some type is there already. */

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the assembly reads; its offsets stand there. A patch is all inputs of an output pixel as
 * words of int16.
 */
typedef struct {
    const int8_t *in;         /*  0: of pixel 0, moves on; of patches that are made, anything */
    uint32_t in_apart;        /*  4: from it to pixel 1, from there to the next pair */
    int8_t *out;              /*  8: of pixel 0, moves on */
    uint32_t out_apart;       /* 12 */
    const uint8_t *pre_shift; /* 16: NULL: none */
    uint32_t whole;           /* 20: bytes of a pixel's eights; one less if `left` or no fours */
    const int32_t *packed;    /* 24 */
    uint32_t left;            /* 28: bytes of a pixel beyond whole eights */
    uint32_t pairs;           /* 32: at least 1; counts down */
    uint32_t rest;            /* 36: channels beyond whole fours */
    const int32_t *last;      /* 40: end of the packed channels */
    uint32_t widen;           /* 44: bytes of code before the entry of the loop over eights */
    const int8_t *stop;       /* 48: behind the patches; a byte less where sums are shifted */
    uint32_t *patches;        /* 52: words of pixel 0 and 1 in turn */
    uint32_t skip;            /* 56: bytes of code before the entry of the loop over steps */
    int32_t zero_point;       /* 60 */
    const int32_t *end;       /* 64: of packed channels, of whole fours */
} mplan_two_patches_t;
MPLAN_STATIC_ASSERT(mplan_two_patches_as_in_assembly,
                    MPLAN_AT(mplan_two_patches_t, in, 0U) &&
                        MPLAN_AT(mplan_two_patches_t, in_apart, 4U) &&
                        MPLAN_AT(mplan_two_patches_t, out, 8U) &&
                        MPLAN_AT(mplan_two_patches_t, out_apart, 12U) &&
                        MPLAN_AT(mplan_two_patches_t, pre_shift, 16U) &&
                        MPLAN_AT(mplan_two_patches_t, whole, 20U) &&
                        MPLAN_AT(mplan_two_patches_t, packed, 24U) &&
                        MPLAN_AT(mplan_two_patches_t, left, 28U) &&
                        MPLAN_AT(mplan_two_patches_t, pairs, 32U) &&
                        MPLAN_AT(mplan_two_patches_t, rest, 36U) &&
                        MPLAN_AT(mplan_two_patches_t, last, 40U) &&
                        MPLAN_AT(mplan_two_patches_t, widen, 44U) &&
                        MPLAN_AT(mplan_two_patches_t, stop, 48U) &&
                        MPLAN_AT(mplan_two_patches_t, patches, 52U) &&
                        MPLAN_AT(mplan_two_patches_t, skip, 56U) &&
                        MPLAN_AT(mplan_two_patches_t, zero_point, 60U) &&
                        MPLAN_AT(mplan_two_patches_t, end, 64U));

#define MPLAN_STEPS_UNROLL 12
#define MPLAN_EIGHTS_UNROLL 4
#define MPLAN_EIGHT_BYTES 52 /* of code */

/*
 * All pairs of a job: their patches are made, unless they are, then four output channels at a time.
 *
 * Eight bytes of either pixel become words in 22 cycles. The loop over them is entered where what
 * is left is no multiple of its length. The steps and all that stands from them to their entry stay
 * in an instruction cache of 1 KB.
 *
 * The stack from 32 on: job, 36 entry to the eights, 40 outputs of a rest, 48 where they go.
 */
static MPLAN_NAKED void mplan_pixel_pairs(__attribute__((unused)) mplan_two_patches_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, #60; ldr r6, [r0, #44]; add.w r7, r0, #48; ldm r7, {r1-r5}\n"
        "adr.w r7, 2f; add r6, r6, r7; orr r6, r6, #1\n"
        "adr.w r7, 3f; add r3, r3, r7; orr r3, r3, #1; stm sp, {r1-r5}\n"
        "strd r0, r6, [sp, #32]\n"
        ".balign 4\n1:\n" /* two pixels */
        "ldr.w lr, [sp, #32]; ldm.w lr, {r0, r2, r4, r5, r7, r8, r12}; add.w r3, r0, r2, lsl #1\n"
        "add.w r6, r4, r5, lsl #1; adds r2, r2, r0; adds r5, r5, r4; str.w r3, [lr]\n"
        "str.w r6, [lr, #8]\n"
        "str r4, [sp, #20]; str r5, [sp, #24]; str.w r7, [sp, #28]; add.w r3, r0, r8\n"
        "ldr.w r1, [sp, #4]; ldr.w pc, [sp, #36]\n"
        "2:\n"
        ".rept 4\n"
        "ldr.w r4, [r0], #4; ldr.w r5, [r2], #4; ldr.w r8, [r0], #4; ldr.w r9, [r2], #4\n"
        "sxtb16 r6, r4, ror #8; sxtb16 r7, r5, ror #8; sxtb16 r4, r4; sxtb16 r5, r5\n"
        "sxtb16 r10, r8, ror #8; sxtb16 r11, r9, ror #8; sxtb16 r8, r8; sxtb16 r9, r9\n"
        "stm.w r1!, {r4-r11}\n"
        ".endr\n" MPLAN_CODE_BYTES("2b", MPLAN_EIGHTS_UNROLL * MPLAN_EIGHT_BYTES)
        "cmp.w r0, r3; blo.w 2b; bhi.w 12f\n"
        "7: mov.w r1, r12; ldr.w r0, [sp, #4]; b.w 5f\n"
        MPLAN_FOUR_CHANNELS(MPLAN_STEPS_UNROLL)
        "6:\n" /* all whole fours */
        "ldr.w lr, [sp, #32]; ldr.w r2, [lr, #32]; ldr.w r3, [lr, #36]; cbnz r3, 8f\n"
        "11: subs r2, #1; str.w r2, [lr, #32]; bne.w 1b; add sp, #60; pop {r4-r11, pc}\n"
        "8: ldr.w r4, [lr, #40]; cmp r1, r4; beq 8f\n" /* the last channels, to the stack */
        "str r4, [sp, #16]; ldrd r6, r7, [sp, #20]; strd r6, r7, [sp, #48]\n"
        "add r6, sp, #40; add r7, sp, #44; strd r6, r7, [sp, #20]; b 5b\n"
        "8: ldr.w r4, [lr, #64]; str r4, [sp, #16]; ldrd r6, r7, [sp, #48]; add r4, sp, #40\n"
        "8: ldrb r5, [r4, #4]; strb r5, [r7], #1; ldrb r5, [r4], #1; strb r5, [r6], #1\n"
        "subs r3, #1; bne 8b; b 11b\n"
        MPLAN_FOUR_SHIFTS
        ".balign 4\n12:\n" /* the last one to seven bytes of either pixel */
        "ldr.w r3, [lr, #28]; lsls r4, r3, #29; bpl 8f\n"
        "ldr.w r4, [r0], #4; ldr.w r5, [r2], #4; sxtb16 r6, r4, ror #8; sxtb16 r7, r5, ror #8\n"
        "sxtb16 r4, r4; sxtb16 r5, r5; stm r1!, {r4-r7}\n"
        "8: lsls r4, r3, #30; bpl 8f; ldrsb r4, [r0], #1; ldrsb r6, [r0], #1; ldrsb r5, [r2], #1\n"
        "ldrsb r7, [r2], #1; pkhbt r4, r4, r6, lsl #16; pkhbt r5, r5, r7, lsl #16\n"
        "stm r1!, {r4, r5}\n"
        "8: lsls r4, r3, #31; beq 8f; ldrsb r4, [r0]; ldrsb r5, [r2]; stm r1!, {r4, r5}\n"
        "8: ldr r3, [sp, #16]; cmp r12, r3; bne.w 7b; mov r1, r12; ldr r0, [sp, #4]; b.w 6b\n");
}

/* A job at patches that are made: of no input. */
static inline void mplan_two_patches_begin(mplan_two_patches_t *job,
                                           const mplan_conv2d_s8_dsp_t *p, uint32_t *patches)
{
    const uint32_t looped = p->steps - 1U;
    const uint32_t part = looped % MPLAN_STEPS_UNROLL; /* of the loop */
    const uint32_t skipped = ((part > 0U) || (looped == 0U)) ? (MPLAN_STEPS_UNROLL - part) : 0U;
    const size_t words = MPLAN_FOUR_WORDS(p->steps); /* of four channels */

    job->in = (const int8_t *)(const void *)patches;
    job->in_apart = 0U;
    job->pre_shift = p->pre_shift;
    job->packed = p->packed;
    job->rest = (uint32_t)p->out_c % 4U;
    job->end = &job->packed[(p->out_c / 4U) * words];
    job->last = (job->rest > 0U) ? &job->end[words] : job->end;
    job->whole = (job->end == job->packed) ? UINT32_MAX : 0U;
    job->left = 0U;
    job->widen = MPLAN_EIGHTS_UNROLL * MPLAN_EIGHT_BYTES;
    job->stop = (const int8_t *)(const void *)&patches[2U * p->steps];
    if (job->pre_shift != NULL) {
        job->stop = &job->stop[-1];
    }
    job->patches = patches;
    job->skip = skipped * MPLAN_STEP_BYTES;
    job->zero_point = p->out_zero_point;
}

/* Makes it one of pixels of so many bytes: `in` and `in_apart` are the caller's. */
static inline void mplan_two_patches_widen(mplan_two_patches_t *job, size_t bytes)
{
    const uint32_t unroll = MPLAN_EIGHTS_UNROLL;
    const uint32_t eights = (uint32_t)bytes / 8U;

    job->left = (uint32_t)bytes % 8U;
    job->whole = (8U * eights) - (((job->left > 0U) || (job->end == job->packed)) ? 1U : 0U);
    job->widen = ((eights > 0U) ? ((unroll - (eights % unroll)) % unroll) : unroll);
    job->widen *= MPLAN_EIGHT_BYTES;
}

/* All channels of two output pixels whose patches are made; out1 is out0 where there is one. */
static inline void mplan_two_patches(mplan_two_patches_t *job, int8_t *out0, const int8_t *out1)
{
    job->out = out0;
    job->out_apart = (uint32_t)(out1 - out0);
    job->pairs = 1U;
    mplan_pixel_pairs(job);
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TWO_PATCHES_DSP_H */
