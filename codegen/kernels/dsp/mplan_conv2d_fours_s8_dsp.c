/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_fours_s8_dsp.h"

#include "mplan_four_pixels_dsp.h"
#include "mplan_padded_rows_dsp.h"

/* What the assembly reads; its offsets stand there. A line is what a window has of an input row. */
typedef struct {
    const int8_t *const *lines; /*  0: where rows of the windows begin, the last one twice */
    uint32_t at;                /*  4: bytes from there to the window of pixel 0, moves on */
    uint32_t apart;             /*  8: bytes from a window to the next one */
    uint32_t words;             /* 12: whole words of a line */
    int8_t *out;                /* 16: of pixel 0, moves on */
    uint32_t out_apart;         /* 20: bytes from pixel to pixel */
    uint32_t place;             /* 24: bytes from the frame to the first words of pixels */
    const int8_t *const *end;   /* 28: of the lines */
    uint32_t two;               /* 32: whether a line has two more bytes behind its words */
    uint32_t odd;               /* 36: bytes of a line where they are odd, or 0 */
    uint32_t blocks;            /* 40: of four pixels, at least 1; counts down */
    const int32_t *packed;      /* 44 */
    const int32_t *packed_end;  /* 48 */
    uint32_t skip;              /* 52: bytes of code before the entry of the steps */
    int32_t zero_point;         /* 56 */
    mplan_padded_rows_t rows;
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, at, 4U) && MPLAN_AT(job_t, apart, 8U) &&
                        MPLAN_AT(job_t, words, 12U) && MPLAN_AT(job_t, out, 16U) &&
                        MPLAN_AT(job_t, out_apart, 20U) && MPLAN_AT(job_t, place, 24U) &&
                        MPLAN_AT(job_t, end, 28U) && MPLAN_AT(job_t, two, 32U) &&
                        MPLAN_AT(job_t, odd, 36U) && MPLAN_AT(job_t, blocks, 40U) &&
                        MPLAN_AT(job_t, packed, 44U) && MPLAN_AT(job_t, packed_end, 48U) &&
                        MPLAN_AT(job_t, skip, 52U) && MPLAN_AT(job_t, zero_point, 56U) &&
                        (sizeof(job_t) == 92U));

/*
 * Blocks of four pixels that follow one another in a row, whose words are made first: a word of
 * four lines in 26 cycles. Behind the frame of the steps: job, next line, at, apart, words.
 */
static MPLAN_NAKED void four_windows(__attribute__((unused)) job_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, #300; str r0, [sp, #280]\n"
        "ldr r1, [r0, #52]; adr.w r2, 2f; add r1, r1, r2; orr r1, r1, #1; str r1, [sp, #256]\n"
        "ldr r1, [r0, #56]; lsl r2, r1, #8; add r2, r2, #128; str r1, [sp, #260]\n"
        "str r2, [sp, #264]; ldr r1, [r0, #20]; ldr r2, [r0, #48]; str r1, [sp, #272]\n"
        "str r2, [sp, #276]\n"
        ".balign 4\n1:\n" /* four pixels */
        "ldr.w r12, [sp, #280]; ldm.w r12, {r0-r6}; add.w r7, sp, #284; stm r7, {r0-r3}\n"
        "str r4, [sp, #268]; add.w r4, r4, r5, lsl #2; add.w r1, r1, r2, lsl #2\n"
        "str r4, [r12, #16]; str r1, [r12, #4]; add.w r12, sp, r6\n"
        "3:\n" /* four lines */
        "ldr r4, [sp, #284]; ldr r5, [sp, #288]; ldr r6, [sp, #292]; ldr.w lr, [sp, #296]\n"
        "ldr r0, [r4], #4; str r4, [sp, #284]; adds r0, r0, r5; adds r1, r0, r6\n"
        "add.w r2, r0, r6, lsl #1; adds r3, r2, r6; cmp lr, #0; beq 8f\n"
        ".balign 4\n7:\n"
        "ldr.w r4, [r0], #4; ldr.w r5, [r1], #4; ldr.w r6, [r2], #4; ldr.w r7, [r3], #4\n"
        "sxtb16 r8, r4, ror #8; sxtb16 r9, r5, ror #8; sxtb16 r10, r6, ror #8\n"
        "sxtb16 r11, r7, ror #8; sxtb16 r4, r4; sxtb16 r5, r5; sxtb16 r6, r6; sxtb16 r7, r7\n"
        "stm.w r12!, {r4-r11}; subs.w lr, lr, #1; bne 7b\n"
        "8: ldr.w lr, [sp, #280]; ldr r4, [sp, #284]; ldr.w r5, [lr, #28]; ldr.w r6, [lr, #32]\n"
        "cbz r6, 4f; ldrh r0, [r0]; ldrh r1, [r1]; ldrh r2, [r2]; ldrh r3, [r3]\n"
        "orr r0, r0, r0, lsl #8; orr r1, r1, r1, lsl #8; orr r2, r2, r2, lsl #8\n"
        "orr r3, r3, r3, lsl #8; sxtb16 r0, r0; sxtb16 r1, r1; sxtb16 r2, r2; sxtb16 r3, r3\n"
        "stm r12!, {r0-r3}\n"
        "4: cmp r4, r5; bne 3b\n"
        "ldr.w r10, [lr, #36]; ldr.w r4, [lr]; ldr.w lr, [lr, #44]; cmp r10, #0; beq.w 5f\n"
        "ldr r0, [sp, #288]; ldr r6, [sp, #292]; add r10, r10, r0; sub r10, r10, #1\n"
        "11:\n" /* the last bytes of two lines */
        "ldr r0, [r4], #4; ldr r1, [r4], #4; add r0, r0, r10; add r1, r1, r10\n"
        "add.w r2, r0, r6, lsl #1; add.w r3, r1, r6, lsl #1; ldrsb.w r8, [r0, r6]\n"
        "ldrsb.w r9, [r1, r6]; ldrsb.w r11, [r3, r6]; ldrsb.w r0, [r0]; ldrsb.w r1, [r1]\n"
        "ldrsb.w r3, [r3]; ldrsb.w r7, [r2, r6]; ldrsb.w r2, [r2]\n"
        "pkhbt r0, r0, r1, lsl #16; pkhbt r1, r8, r9, lsl #16; pkhbt r2, r2, r3, lsl #16\n"
        "pkhbt r3, r7, r11, lsl #16; stm r12!, {r0-r3}; cmp r4, r5; blo 11b; b.w 5f\n"
        MPLAN_FOUR_PIXELS
        "6: ldr r0, [sp, #280]; ldr r1, [r0, #40]; subs r1, #1; str r1, [r0, #40]; bne.w 1b\n"
        "add sp, #300; pop {r4-r11, pc}\n");
}

static MPLAN_APART void prepare(const mplan_conv2d_fours_s8_dsp_t *p, job_t *job, const int8_t *in)
{
    const int8_t **const lines = (const int8_t **)(void *)&job[1];
    const uint32_t absent = MPLAN_FOUR_PIXELS_STEPS - p->steps;
    const uint32_t line = (uint32_t)p->kernel_w * p->in_c;

    job->lines = lines;
    job->apart = (uint32_t)p->stride_w * p->in_c;
    job->words = line / 4U;
    job->out_apart = p->out_c;
    job->place = 16U * absent;
    job->end = &lines[p->kernel_h];
    job->two = (line / 2U) % 2U;
    job->odd = ((line % 2U) > 0U) ? line : 0U;
    job->packed = p->packed;
    job->packed_end = &p->packed[((size_t)p->out_c / 2U) * (4U + p->steps)];
    job->skip = absent * MPLAN_FOUR_PIXELS_BYTES;
    job->zero_point = p->out_zero_point;
    mplan_prepare_rows(p, &job->rows, in, (int8_t *)(void *)&lines[p->kernel_h + 1U]);
}

static MPLAN_APART void find_lines(const mplan_conv2d_fours_s8_dsp_t *p, job_t *job, size_t y)
{
    mplan_find_lines(p, &job->rows, (const int8_t **)(void *)&job[1], y);
}

MPLAN_KERNEL void mplan_conv2d_fours_s8_dsp(const mplan_conv2d_fours_s8_dsp_t *p, const int8_t *in,
                                            int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    job_t *const job = (job_t *)(void *)scratch;

    prepare(p, job, in);
    for (size_t y = y0; y < y1; y++) {
        find_lines(p, job, y);
        job->at = 0U;
        job->out = &out[mplan_row(&p->out_rows, y)];
        job->blocks = p->out_w / 4U;
        four_windows(job);
        if ((p->out_w % 4U) > 0U) { /* the last four pixels, some of them again */
            const uint32_t last = p->out_w - 4U;

            job->at = last * job->apart;
            job->out = &out[mplan_row(&p->out_rows, y) + ((size_t)last * p->out_c)];
            job->blocks = 1U;
            four_windows(job);
        }
    }
    for (size_t y = y0; ((p->act_min > -128) || (p->act_max < 127)) && (y < y1); y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < ((size_t)p->out_w * p->out_c); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}
