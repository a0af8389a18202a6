/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_conv2d_patch_s8_dsp.h"

/* What `fours` reads. Its offsets stand in the assembly. */
typedef struct {
    const int8_t *in;         /*  0 */
    uint32_t entry;           /*  4: bytes of code to skip; then the address to enter */
    const int8_t *in_end;     /*  8 */
    const uint8_t *pre_shift; /* 12: NULL: none */
    int32_t zero_point;       /* 16 */
    int8_t *out;              /* 20: moves on */
    const int32_t *end;       /* 24: of the packed channels */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, in, 0U) && MPLAN_AT(job_t, entry, 4U) &&
                    MPLAN_AT(job_t, in_end, 8U) && MPLAN_AT(job_t, pre_shift, 12U) &&
                    MPLAN_AT(job_t, zero_point, 16U) && MPLAN_AT(job_t, out, 20U) &&
                    MPLAN_AT(job_t, end, 24U));

#define UNROLL 8
#define STEP_BYTES 76 /* of code */
#define KERNEL_ROWS (16U)

/*
 * One pixel by four output channels at a time, until job->end.
 *
 * A step does 16 multiply-accumulates in 20 cycles: five loads in a row (6 cycles), two sign
 * extensions of four inputs, eight dual multiplies, four sign extensions. A weight word holds two
 * taps of 256 * b + a. As it is, it adds to the sum of 256 * b + a (r5, and r7 for c, d); its low
 * bytes extended, to the sum of a (r4, r6). The sum of b is their difference / 256, exactly:
 * wrapping does not matter.
 *
 * The loop of 8 steps is entered in its middle where the number of steps is no multiple of 8.
 */
static MPLAN_NAKED void fours(
    __attribute__((unused)) const int32_t *packed, __attribute__((unused)) job_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}\n"
        "ldr r2, [r1, #4]; adr r3, 2f; add r2, r2, r3; orr r2, r2, #1\n"
        "str r2, [r1, #4]; mov r11, r1; mov r1, r0\n"
        "1:\n" /* four outputs */
        "ldr r0, [r11]; ldr r2, [r11, #4]; ldr r10, [r11, #8]; ldmia r1!, {r4, r6}\n"
        "mov r5, r4; mov r7, r6; bx r2\n"
        ".balign 4\n"
        "2:\n"
        ".rept 8\n"
        "ldr.w r2, [r0], #4\n"
        "ldr.w r3, [r1], #4; ldr.w r12, [r1], #4; ldr.w lr, [r1], #4; ldr.w r8, [r1], #4\n"
        "sxtb16 r9, r2; sxtb16 r2, r2, ror #8\n"
        "smlad r5, r3, r9, r5; smlad r7, r12, r9, r7\n"
        "sxtb16 r3, r3; sxtb16 r12, r12\n"
        "smlad r4, r3, r9, r4; smlad r6, r12, r9, r6\n"
        "smlad r5, lr, r2, r5; smlad r7, r8, r2, r7\n"
        "sxtb16 lr, lr; sxtb16 r8, r8\n"
        "smlad r4, lr, r2, r4; smlad r6, r8, r2, r6\n"
        ".endr\n" MPLAN_CODE_BYTES("2b", UNROLL * STEP_BYTES)
        "cmp r0, r10; bne.w 2b\n"
        "ldr r2, [r11, #12]; ldmia r1!, {r3, r12}\n"
        "sub r5, r5, r4; add r5, r3, r5, asr #8; sub r7, r7, r6; add r7, r12, r7, asr #8\n"
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

/* The input rows of an output row, NULL where they lie outside. */
static void find_lines(const mplan_conv2d_patch_s8_dsp_t *p, const int8_t *in,
                       const int8_t **lines, size_t y)
{
    int32_t from = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        lines[ky] = NULL;
        if ((from >= 0) && (from < (int32_t)p->in_h)) {
            lines[ky] = &in[mplan_row(&p->in_rows, (size_t)from)];
        }
        from++;
    }
}

/* The patch of an output pixel; taps outside the input are the zero point. */
static void gather(const mplan_conv2d_patch_s8_dsp_t *p, const int8_t *const *lines, int8_t *to,
                   int32_t x_first)
{
    const int32_t taps = (int32_t)p->kernel_w;
    const int32_t first = mplan_clamp(-x_first, 0, taps);
    const int32_t end = mplan_clamp((int32_t)p->in_w - x_first, first, taps);
    const size_t run = (size_t)p->kernel_w * p->in_c;
    const size_t before = (size_t)first * p->in_c;
    const size_t inside = (size_t)(end - first) * p->in_c;
    const size_t from = (inside > 0U) ? ((size_t)(x_first + first) * p->in_c) : 0U;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        if ((lines[ky] == NULL) || (inside < run)) {
            (void)memset(to, p->in_zero_point, run);
        }
        if (lines[ky] != NULL) {
            (void)memcpy(&to[before], &lines[ky][from], inside);
        }
        to = &to[run];
    }
}

/* `count` channels from packed on, `count` a multiple of four. */
static void channels(const mplan_conv2d_patch_s8_dsp_t *p, job_t *job, const int32_t *packed,
                     int8_t *out, size_t count)
{
    const size_t words = 8U + (4U * p->steps);

    job->entry = ((UNROLL - (p->steps % UNROLL)) % UNROLL) * STEP_BYTES;
    job->out = out;
    job->end = &packed[(count / 4U) * words];
    fours(packed, job);
}

/* All channels of an output pixel whose patch is made. */
static void outputs(const mplan_conv2d_patch_s8_dsp_t *p, job_t *job, int8_t *out)
{
    const size_t rest = (size_t)p->out_c % 4U;
    const size_t whole = (size_t)p->out_c - rest;

    job->pre_shift = p->pre_shift;
    job->end = p->packed;
    if (whole > 0U) {
        channels(p, job, p->packed, out, whole);
    }
    if (rest > 0U) {
        int8_t spare[4];

        channels(p, job, job->end, spare, 4U);
        (void)memcpy(&out[whole], spare, rest);
    }
}

MPLAN_KERNEL
void mplan_conv2d_patch_s8_dsp(const mplan_conv2d_patch_s8_dsp_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1, int8_t *scratch)
{
    const size_t bytes = 4U * p->steps;
    const size_t used = (size_t)p->kernel_h * p->kernel_w * p->in_c;
    const int8_t *lines[KERNEL_ROWS];
    job_t job;

    job.in = scratch;
    job.in_end = &scratch[bytes];
    job.zero_point = p->out_zero_point;
    (void)memset(&scratch[used], 0, bytes - used);
    for (size_t y = y0; y < y1; y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];
        const size_t count = (size_t)p->out_w * p->out_c;
        int32_t x_first = -(int32_t)p->pad_left;

        find_lines(p, in, lines, y);
        for (size_t x = 0U; x < p->out_w; x++) {
            gather(p, lines, scratch, x_first);
            outputs(p, &job, &row[x * p->out_c]);
            x_first += (int32_t)p->stride_w;
        }
        for (size_t i = 0U; ((p->act_min > -128) || (p->act_max < 127)) && (i < count); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}
