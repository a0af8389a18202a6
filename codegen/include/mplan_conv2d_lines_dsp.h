/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_lines_dsp.h - convolution for weights of either type, from rows with padding. */
#ifndef MPLAN_CONV2D_LINES_DSP_H
#define MPLAN_CONV2D_LINES_DSP_H

#include "mplan_conv2d_rows_s8_dsp.h"
#include "mplan_padded_rows_dsp.h"

/* MPLAN_FOUR_CHANNELS for weights of some type is there already. */

#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* What the assembly reads; its offsets stand there. A line is what a window has of an input row. */
typedef struct {
    const int8_t *stop;         /*  0: behind the patches; a byte less where sums are shifted */
    uint32_t *patches;          /*  4: words of pixel 0 and 1 in turn */
    uint32_t skip;              /*  8: bytes of code before the entry of the steps */
    int32_t zero_point;         /* 12 */
    uint32_t words;             /* 16: bytes of a line in words, less 1 where two more follow */
    uint32_t *to;               /* 20: the patches */
    const int8_t *const *lines; /* 24: where rows of the windows begin */
    const int8_t *const *end;   /* 28 */
    uint32_t apart;             /* 32: bytes from a window to the next one */
    uint32_t entry;             /* 36: bytes of code before that of the words, and 1 */
    uint32_t at;                /* 40: bytes from the begin of rows to the next window, moves on */
    uint32_t odd;               /* 44: bytes of a line where they are odd, or 0 */
    int8_t *out0;               /* 48: outputs of a pair whose patches are made */
    int8_t *out1;               /* 52: or of the first one of several pairs */
    const int32_t *packed;      /* 56 */
    const int32_t *whole;       /* 60: behind the fours of which no channel comes again */
    const int32_t *all;         /* 64: behind all */
    const uint8_t *pre_shift;   /* 68 */
    uint32_t channels;          /* 72 */
    uint32_t again;             /* 76: channels that come again */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, stop, 0U) && MPLAN_AT(job_t, patches, 4U) &&
                        MPLAN_AT(job_t, skip, 8U) && MPLAN_AT(job_t, zero_point, 12U) &&
                        MPLAN_AT(job_t, words, 16U) && MPLAN_AT(job_t, to, 20U) &&
                        MPLAN_AT(job_t, lines, 24U) && MPLAN_AT(job_t, end, 28U) &&
                        MPLAN_AT(job_t, apart, 32U) && MPLAN_AT(job_t, entry, 36U) &&
                        MPLAN_AT(job_t, at, 40U) && MPLAN_AT(job_t, odd, 44U) &&
                        MPLAN_AT(job_t, out0, 48U) && MPLAN_AT(job_t, out1, 52U) &&
                        MPLAN_AT(job_t, packed, 56U) && MPLAN_AT(job_t, whole, 60U) &&
                        MPLAN_AT(job_t, all, 64U) && MPLAN_AT(job_t, pre_shift, 68U) &&
                        MPLAN_AT(job_t, channels, 72U) && MPLAN_AT(job_t, again, 76U));

#define UNROLL 8      /* steps */
#define WORDS 2       /* of a line */
#define WORD_BYTES 40 /* of code */

/*
 * Pixels in pairs: `count` pairs that follow one another in a row, whose patches are made first; or
 * none, but the one whose patches are made.
 *
 * A word of both pixels' lines becomes two of int16 each in 11 cycles; two more bytes become one, a
 * last one shares a word with that of the next line. The code from 11 to the shifts stays in an
 * instruction cache of 1 KB. The stack from 32 on: job, count.
 */
static NAKED void pairs(UNREAD job_t *job, UNREAD size_t count)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, #44; ldr r2, [r0, #48]; ldr r3, [r0, #52]; ldm r0, {r4-r7}\n"
        "adr.w r12, 3f; add r6, r6, r12; orr r6, r6, #1; stm sp, {r4-r7}; strd r2, r3, [sp, #20]\n"
        "strd r0, r1, [sp, #32]; mov r7, r0; cmp r1, #0; beq.w 19f\n"
        ".balign 4\n11:\n"
        "ldr r7, [sp, #32]; add.w r6, r7, #16; ldm.w r6, {r0-r5, r12}; add.w r6, r12, r4, lsl #1\n"
        "str r6, [r7, #40]; cmp r0, #0; adr.w r6, 12f; add.w r5, r5, r6; beq 15f\n"
        "ldr r6, [r2], #4; add r6, r12; add.w lr, r6, r0; bx r5\n"
        ".balign 4\n12:\n"
        ".rept 2\n"
        "ldr.w r8, [r6, r4]; ldr.w r7, [r6], #4; sxtb16 r9, r7, ror #8; sxtb16 r10, r8, ror #8\n"
        "sxtb16 r7, r7; sxtb16 r8, r8\n"
        "str.w r7, [r1], #4; str.w r8, [r1], #4; str.w r9, [r1], #4; str.w r10, [r1], #4\n"
        ".endr\n" MPLAN_CODE_BYTES("12b", WORDS * WORD_BYTES)
        "cmp r6, lr; blo.w 12b; bhi 14f\n"
        "13: cmp r2, r3; ldr.w r6, [r2], #4; add r6, r12; add.w lr, r6, r0; beq 15f; bx r5\n"
        "15: ldr r7, [sp, #32]; ldr r5, [r7, #44]; cbz r5, 18f\n"
        "ldr r2, [r7, #24]; subs r5, #1; add r12, r5; add.w r4, r4, r12\n"
        "16: ldrd r6, r11, [r2], #8; ldrsb.w r8, [r6, r12]; ldrsb.w r9, [r6, r4]\n"
        "ldrsb.w r10, [r11, r12]; ldrsb.w r11, [r11, r4]; pkhbt r8, r8, r10, lsl #16\n"
        "pkhbt r9, r9, r11, lsl #16; str.w r8, [r1], #4; str.w r9, [r1], #4\n"
        "cmp r2, r3; blo 16b\n"
        "18: ldr r2, [sp, #24]; ldr r3, [r7, #72]; add r3, r2\n"
        "str r2, [sp, #20]; str r3, [sp, #24]\n"
        "19: ldr r1, [r7, #56]; ldr r2, [r7, #60]; ldr r3, [r7, #68]; ldr r0, [sp, #4]\n"
        "str r2, [sp, #16]; str r3, [sp, #28]; b.w 5f\n"
        MPLAN_FOUR_CHANNELS(UNROLL)
        "6: ldr r7, [sp, #32]; ldr r4, [r7, #64]; ldr r5, [sp, #36]; cmp r1, r4; bne 20f\n"
        "subs r5, #1; str r5, [sp, #36]; bgt.w 11b; add sp, #44; pop {r4-r11, pc}\n"
        "20: str r4, [sp, #16]; ldr r4, [r7, #76]; subs r2, r2, r4; subs r3, r3, r4\n"
        "str r2, [sp, #20]; str r3, [sp, #24]; b.w 5b\n"
        "14: ldrh.w r8, [r6, r4]; ldrh.w r7, [r6]; orr r8, r8, r8, lsl #8; orr r7, r7, r7, lsl #8\n"
        "sxtb16 r8, r8; sxtb16 r7, r7; str.w r7, [r1], #4; str.w r8, [r1], #4; b.w 13b\n"
        MPLAN_FOUR_SHIFTS);
}

/* The patch of the next pixel, as the first or the second of two. */
static NAKED void patch_of_one(UNREAD job_t *job, UNREAD uint32_t *to)
{
    __asm volatile(
        "push {r0, r4-r9, lr}; add.w r7, r0, #24; ldm r7, {r2-r6}; ldr r0, [r0, #16]\n"
        "mov r12, r6; add r4, r4, r6; str r4, [r7, #16]; adr.w r6, 12f\n"
        "add.w r5, r6, r5, lsr #1; orr r5, r5, #1\n"
        "cmp r0, #0; beq 15f; ldr r6, [r2], #4; add r6, r6, r12; add lr, r6, r0; bx r5\n"
        ".balign 4\n12:\n"
        ".rept 2\n"
        "ldr.w r8, [r6], #4; sxtb16 r7, r8; sxtb16 r8, r8, ror #8\n"
        "str.w r7, [r1], #8; str.w r8, [r1], #8\n"
        ".endr\n" MPLAN_CODE_BYTES("12b", WORDS * WORD_BYTES / 2)
        "cmp r6, lr; blo 12b; bls 13f\n"
        "ldrh r7, [r6]; orr r7, r7, r7, lsl #8; sxtb16 r7, r7; str r7, [r1], #8\n"
        "13: cmp r2, r3; ldr r6, [r2], #4; add r6, r6, r12; add lr, r6, r0; beq 15f; bx r5\n"
        "15: ldr r0, [sp]; ldr r5, [r0, #44]; cbz r5, 18f\n"
        "ldr r2, [r0, #24]; subs r5, #1; add r12, r5\n"
        "16: ldrd r6, r7, [r2], #8; ldrsb.w r8, [r6, r12]; ldrsb.w r9, [r7, r12]\n"
        "pkhbt r8, r8, r9, lsl #16; str r8, [r1], #8; cmp r2, r3; blo 16b\n"
        "18: pop {r0, r4-r9, pc}\n");
}

static void prepare_job(const mplan_conv2d_rows_s8_dsp_t *p, job_t *job, uint32_t *patches,
                        const int8_t **lines)
{
    const uint32_t looped = p->steps - 1U;
    const uint32_t steps = (looped > 0U) ? ((UNROLL - (looped % UNROLL)) % UNROLL) : UNROLL;
    const size_t four = MPLAN_FOUR_WORDS(p->steps);
    const uint32_t line = (uint32_t)p->kernel_w * p->in_c;
    const uint32_t words = line / 4U;

    job->stop = (const int8_t *)(const void *)&patches[2U * p->steps];
    if (p->pre_shift != NULL) {
        job->stop = &job->stop[-1];
    }
    job->patches = patches;
    job->skip = steps * MPLAN_STEP_BYTES;
    job->zero_point = p->out_zero_point;
    job->words = (4U * words) - ((line >> 1U) & 1U);
    job->to = patches;
    job->lines = lines;
    job->end = &lines[p->kernel_h];
    job->apart = (uint32_t)p->stride_w * p->in_c;
    job->entry = (words > 0U) ? ((WORDS - (words % WORDS)) % WORDS) : WORDS;
    job->entry = (job->entry * WORD_BYTES) | 1U;
    job->odd = ((line % 2U) > 0U) ? line : 0U;
    job->packed = p->packed;
    job->whole = &p->packed[(p->out_c / 4U) * four];
    job->all = &p->packed[((p->out_c + 3U) / 4U) * four];
    job->pre_shift = p->pre_shift;
    job->channels = p->out_c;
    job->again = (4U - (p->out_c % 4U)) % 4U;
}

/* Output rows [y0, y1). */
static inline void mplan_conv2d_lines(const mplan_conv2d_rows_s8_dsp_t *p, const int8_t *in,
                                      int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    uint32_t *const patches = (uint32_t *)(void *)scratch;
    /* kernel_h, the last one twice */
    const int8_t **const lines = (const int8_t **)(void *)&patches[2U * p->steps];
    int8_t *waiting = NULL; /* output of a last pixel that waits for a second one */
    job_t job;
    mplan_padded_rows_t rows;

    prepare_job(p, &job, patches, lines);
    mplan_prepare_rows(p, &rows, in, (int8_t *)(void *)&lines[p->kernel_h + 1U]);
    for (size_t y = y0; y < y1; y++) {
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        size_t left = p->out_w;

        mplan_find_lines(p, &rows, lines, y);
        job.at = 0U;
        if (waiting != NULL) {
            patch_of_one(&job, &patches[1]);
            job.out0 = waiting;
            job.out1 = to;
            pairs(&job, 0U);
            waiting = NULL;
            to = &to[p->out_c];
            left--;
        }
        if (left > 1U) {
            job.out1 = to;
            pairs(&job, left / 2U);
        }
        if ((left % 2U) > 0U) {
            patch_of_one(&job, patches);
            waiting = &to[(left - 1U) * p->out_c];
        }
    }
    if (waiting != NULL) {
        job.out0 = waiting;
        job.out1 = waiting;
        pairs(&job, 0U);
    }
    for (size_t y = y0; ((p->act_min > -128) || (p->act_max < 127)) && (y < y1); y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < ((size_t)p->out_w * p->out_c); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}

#endif /* MPLAN_CONV2D_LINES_DSP_H */
