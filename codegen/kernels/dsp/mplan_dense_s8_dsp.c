/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_dense_s8_dsp.h"

/* What `fours` reads. Its offsets stand in the assembly. */
typedef struct {
    const int8_t *in;         /*  0 */
    uint32_t entry;           /*  4: bytes of code to skip; then the address to enter */
    const int8_t *in_end;     /*  8: of the inputs that come four at a time */
    const uint32_t *rest_end; /* 12 */
    const uint8_t *pre_shift; /* 16: NULL: none */
    int32_t zero_point;       /* 20 */
    int8_t *out;              /* 24: moves on */
    const int32_t *end;       /* 28: of the packed outputs */
    uint32_t rest[2];         /* 32: the last one to three inputs, widened */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, in, 0U) && MPLAN_AT(job_t, entry, 4U) &&
                    MPLAN_AT(job_t, in_end, 8U) && MPLAN_AT(job_t, rest_end, 12U) &&
                    MPLAN_AT(job_t, pre_shift, 16U) && MPLAN_AT(job_t, zero_point, 20U) &&
                    MPLAN_AT(job_t, out, 24U) && MPLAN_AT(job_t, end, 28U) &&
                    MPLAN_AT(job_t, rest, 32U));

#define UNROLL 8
#define STEP_BYTES 76 /* of code */

/*
 * One pixel by four outputs at a time, until job->end.
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
        "ldr r2, [r11, #12]; add r0, r11, #32; cmp r0, r2; beq 4f\n"
        "3:\n" /* the rest */
        "ldr r8, [r0], #4; ldr r3, [r1], #4; ldr r12, [r1], #4\n"
        "smlad r5, r3, r8, r5; smlad r7, r12, r8, r7\n"
        "sxtb16 r3, r3; sxtb16 r12, r12\n"
        "smlad r4, r3, r8, r4; smlad r6, r12, r8, r6\n"
        "cmp r0, r2; bne 3b\n"
        "4:\n"
        "ldr r2, [r11, #16]; ldmia r1!, {r3, r12}\n"
        "sub r5, r5, r4; add r5, r3, r5, asr #8; sub r7, r7, r6; add r7, r12, r7, asr #8\n"
        "cmp r2, #0; bne 6f\n"
        "5:\n" /* requantize: sum * multiplier, its high word rounded, onto the zero point */
        "ldr r8, [r11, #20]; ldr r0, [r11, #24]; ldr r9, [r11, #28]\n"
        "ldmia r1!, {r2, r3, r12, lr}\n"
        "smmlar r4, r4, r2, r8; smmlar r5, r5, r3, r8\n"
        "smmlar r6, r6, r12, r8; smmlar r7, r7, lr, r8\n"
        "ssat r4, #8, r4; ssat r5, #8, r5; ssat r6, #8, r6; ssat r7, #8, r7\n"
        "strb r4, [r0], #1; strb r5, [r0], #1; strb r6, [r0], #1; strb r7, [r0], #1\n"
        "str r0, [r11, #24]; cmp r1, r9; bne.w 1b\n"
        "pop {r4-r11, pc}\n"
        "6:\n" /* left shifts of four outputs */
        "ldrb r3, [r2], #1; ldrb r12, [r2], #1; ldrb lr, [r2], #1; ldrb r8, [r2], #1\n"
        "lsl r4, r4, r3; lsl r5, r5, r12; lsl r6, r6, lr; lsl r7, r7, r8\n"
        "str r2, [r11, #16]; b 5b\n");
}

static uint32_t pair(int8_t low, int8_t high)
{
    return (uint32_t)(uint16_t)low | ((uint32_t)(uint16_t)high << 16);
}

/* The last one to three inputs of a pixel. */
static void widen_rest(job_t *job, const int8_t *in, size_t count)
{
    uint32_t *to = job->rest;

    if (count >= 2U) {
        to[0] = pair(in[0], in[1]);
        in = &in[2];
        to = &to[1];
    }
    if ((count & 1U) != 0U) {
        to[0] = pair(in[0], 0);
        to = &to[1];
    }
    job->rest_end = to;
}

/* `count` outputs from packed on, `count` a multiple of four. */
static void dense_fours(const mplan_dense_s8_dsp_t *p, job_t *job, const int32_t *packed,
                        int8_t *out, size_t count)
{
    const size_t steps = p->in_c / 4U;
    const size_t words = 8U + (2U * ((p->in_c + 1U) / 2U));
    const size_t skipped = (steps > 0U) ? ((UNROLL - (steps % UNROLL)) % UNROLL) : UNROLL;

    job->entry = (uint32_t)(skipped * STEP_BYTES);
    job->out = out;
    job->end = &packed[(count / 4U) * words];
    fours(packed, job);
}

static void dense_pixel(const mplan_dense_s8_dsp_t *p, const int8_t *in, int8_t *out)
{
    const size_t rest = p->out_c % 4U;
    const size_t whole = p->out_c - rest;
    job_t job;

    job.in = in;
    job.in_end = &in[p->in_c - (p->in_c % 4U)];
    job.pre_shift = p->pre_shift;
    job.zero_point = p->out_zero_point;
    job.end = p->packed;
    widen_rest(&job, job.in_end, p->in_c % 4U);
    if (whole > 0U) {
        dense_fours(p, &job, p->packed, out, whole);
    }
    if (rest > 0U) {
        int8_t spare[4];

        dense_fours(p, &job, job.end, spare, 4U);
        (void)memcpy(&out[whole], spare, rest);
    }
    if ((p->act_min > -128) || (p->act_max < 127)) {
        for (size_t i = 0U; i < p->out_c; i++) {
            out[i] = (int8_t)mplan_clamp(out[i], p->act_min, p->act_max);
        }
    }
}

MPLAN_KERNEL
void mplan_dense_s8_dsp(const mplan_dense_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            dense_pixel(p, &from[x * p->in_c], &to[x * p->out_c]);
        }
    }
}
