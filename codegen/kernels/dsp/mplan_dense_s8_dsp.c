/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_dense_s8_dsp.h"

/* What `blocks` reads. Its offsets stand in the assembly. */
typedef struct {
    const int8_t *in;          /*  0 */
    uint32_t eight;            /*  4: bytes of code to skip; then the address to enter */
    uint32_t crossed;          /*  8: sum of x0 * x1 + x2 * x3 of each four inputs */
    const uint32_t *rest_end;  /* 12 */
    const uint8_t *pre_shift;  /* 16: NULL: none; moves on */
    int32_t zero_point;        /* 20 */
    const int8_t *in_end;      /* 24: of the inputs that come four at a time */
    int8_t *out;               /* 28 */
    const int32_t *end;        /* 32: of the packed outputs */
    const int32_t *eights;     /* 36: where they come by eight */
    uint32_t four;             /* 40: as eight */
    uint32_t rest[2];          /* 44: the last one to three inputs, widened */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, in, 0U) && MPLAN_AT(job_t, eight, 4U) &&
                    MPLAN_AT(job_t, crossed, 8U) && MPLAN_AT(job_t, rest_end, 12U) &&
                    MPLAN_AT(job_t, pre_shift, 16U) && MPLAN_AT(job_t, zero_point, 20U) &&
                    MPLAN_AT(job_t, in_end, 24U) && MPLAN_AT(job_t, out, 28U) &&
                    MPLAN_AT(job_t, end, 32U) && MPLAN_AT(job_t, eights, 36U) &&
                    MPLAN_AT(job_t, four, 40U) && MPLAN_AT(job_t, rest, 44U));

#define EIGHT_STEPS 4 /* of a loop, and bytes of code of one */
#define EIGHT_BYTES 112
#define FOUR_STEPS 2
#define FOUR_BYTES 72

/*
 * Four taps of two outputs a and b: seven instructions for eight multiply-accumulates.
 *
 * A word holds two taps of 256 * b + a, {0, 2} or {1, 3}. As they are, they add to the sum of
 * 256 * b + a. The sum of a comes by half as many products, Winograd's inner product:
 *   (x1 + a0) * (x0 + a1) = x0 * a0 + x1 * a1 + x0 * x1 + a0 * a1
 * and the extension of a's byte does the addition. x0 * x1 is summed once per pixel, a0 * a1 stands
 * in the bias. The sum of b is the difference / 256; wrapping does not matter.
 *
 * Source: Winograd 1968, A New Algorithm for Inner Product.
 */
#define PAIR(even, odd, a, ab)                                                                     \
    "smlad " ab ", " even ", r2, " ab "; smlad " ab ", " odd ", r3, " ab "\n"                      \
    "sxtab16 " even ", r3, " even "; sxtab16 " odd ", r2, " odd "\n"                               \
    "smlad " a ", " even ", " odd ", " a "\n"
/* One or two taps of two outputs. */
#define REST(word, a, ab)                                                                          \
    "smlad " ab ", " word ", r2, " ab "; sxtb16 " word ", " word "\n"                              \
    "smlad " a ", " word ", r2, " a "\n"
/* Both sums apart; word: bias of b. */
#define PART(word, a, ab) "sub " ab ", " ab ", " a "; add " ab ", " word ", " ab ", asr #8\n"
#define ONE_OUT(sum) "ssat " sum ", #8, " sum "; strb " sum ", [r0], #1\n"
#define TWO_SHIFTED(a, b)                                                                          \
    "ldrb r12, [r2], #1; ldrb lr, [r2], #1; lsl " a ", " a ", r12; lsl " b ", " b ", lr\n"

/*
 * One pixel by outputs until job->end: by four until job->eights, 16 multiply-accumulates in a step
 * of 19 cycles, which sums what is crossed, too; by eight from there, 32 of them in 35 cycles: four
 * groups of loads, two extensions, 20 of PAIR. Sums that are shifted come by four.
 *
 * The loops are entered in their middle where steps are no multiple of theirs.
 */
static MPLAN_NAKED void blocks(
    __attribute__((unused)) const int32_t *packed, __attribute__((unused)) job_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}\n"
        "ldr r2, [r1, #4]; adr r3, 2f; add r2, r2, r3; orr r2, r2, #1; str r2, [r1, #4]\n"
        "ldr r2, [r1, #40]; adr r3, 12f; add r2, r2, r3; orr r2, r2, #1; str r2, [r1, #40]\n"
        "add r2, r1, #24; ldmia r2, {r2-r4}; push {r1-r4}; mov r1, r0\n"
        "11:\n" /* four outputs */
        "ldr r12, [sp]; ldr r3, [r12, #36]; ldr r2, [r12, #40]; ldr r0, [r12]\n"
        "cmp r1, r3; bhs 1f\n"
        "ldmia r1!, {r5, r7}; mov r4, r5; mov r6, r7; mov r10, #0; bx r2\n"
        ".balign 4\n"
        "12:\n"
        ".rept 2\n"
        "ldr.w r2, [r0], #4\n"
        "ldr.w r8, [r1], #4; ldr.w r9, [r1], #4; ldr.w r12, [r1], #4; ldr.w lr, [r1], #4\n"
        "sxtb16 r3, r2, ror #8; sxtb16 r2, r2\n"
        PAIR("r8", "r9", "r4", "r5") "smlad r10, r2, r3, r10\n" PAIR("r12", "lr", "r6", "r7")
        ".endr\n" MPLAN_CODE_BYTES("12b", FOUR_STEPS * FOUR_BYTES)
        "ldr.w r2, [sp, #4]; cmp r0, r2; bne.w 12b\n"
        "ldr r12, [sp]; str r10, [r12, #8]; sub r4, r4, r10; sub r6, r6, r10\n"
        "ldr r3, [r12, #12]; add r0, r12, #44; cmp r0, r3; beq 14f\n"
        "13:\n"
        "ldr r2, [r0], #4; ldmia r1!, {r12, lr}\n" REST("r12", "r4", "r5") REST("lr", "r6", "r7")
        "cmp r0, r3; bne 13b\n"
        "14:\n"
        "ldr r3, [sp]; ldr r0, [sp, #8]; ldr r2, [r3, #16]; ldr r3, [r3, #20]\n"
        "ldmia r1!, {r12, lr}\n" PART("r12", "r4", "r5") PART("lr", "r6", "r7")
        "cmp r2, #0; beq 15f\n" TWO_SHIFTED("r4", "r5") TWO_SHIFTED("r6", "r7")
        "ldr r12, [sp]; str r2, [r12, #16]\n"
        "15:\n" /* requantize: sum * multiplier, its high word rounded, onto the zero point */
        "ldmia r1!, {r8, r9, r12, lr}\n"
        "smmlar r4, r4, r8, r3; smmlar r5, r5, r9, r3\n"
        "smmlar r6, r6, r12, r3; smmlar r7, r7, lr, r3; ldr r2, [sp, #12]\n"
        ONE_OUT("r4") ONE_OUT("r5") ONE_OUT("r6") ONE_OUT("r7")
        "str r0, [sp, #8]; cmp r1, r2; bne.w 11b\n"
        "b.w 7f\n"
        ".balign 4\n"
        "1:\n" /* eight outputs */
        "ldr r12, [sp]; ldmia r1!, {r5, r7, r9, r11}; ldmia r12, {r0, r2, r3}\n"
        "sub r4, r5, r3; sub r6, r7, r3; sub r8, r9, r3; sub r10, r11, r3; bx r2\n"
        ".balign 4\n"
        "2:\n"
        ".rept 4\n"
        "ldr.w r2, [r0], #4; ldr.w r12, [r1], #4; ldr.w lr, [r1], #4\n"
        "sxtb16 r3, r2, ror #8; sxtb16 r2, r2\n"
        PAIR("r12", "lr", "r4", "r5")
        "ldmia.w r1!, {r12, lr}\n" PAIR("r12", "lr", "r6", "r7")
        "ldmia.w r1!, {r12, lr}\n" PAIR("r12", "lr", "r8", "r9")
        "ldmia.w r1!, {r12, lr}\n" PAIR("r12", "lr", "r10", "r11")
        ".endr\n" MPLAN_CODE_BYTES("2b", EIGHT_STEPS * EIGHT_BYTES)
        "ldr.w r2, [sp, #4]; cmp r0, r2; bne.w 2b\n"
        "ldr r0, [sp]; ldr r3, [r0, #12]; add r0, r0, #44; cmp r0, r3; beq 4f\n"
        "3:\n"
        "ldr r2, [r0], #4; ldmia r1!, {r12, lr}\n" REST("r12", "r4", "r5") REST("lr", "r6", "r7")
        "ldmia r1!, {r12, lr}\n" REST("r12", "r8", "r9") REST("lr", "r10", "r11")
        "cmp r0, r3; bne 3b\n"
        "4:\n"
        "ldr r3, [sp]; ldr r0, [sp, #8]; ldr r3, [r3, #20]\n"
        "ldmia r1!, {r12, lr}\n" PART("r12", "r4", "r5") PART("lr", "r6", "r7")
        "ldmia r1!, {r12, lr}\n" PART("r12", "r8", "r9") PART("lr", "r10", "r11")
        "ldmia r1!, {r2, r12, lr}\n"
        "smmlar r4, r4, r2, r3; smmlar r5, r5, r12, r3; smmlar r6, r6, lr, r3\n"
        "ldmia r1!, {r2, r12, lr}\n"
        "smmlar r7, r7, r2, r3; smmlar r8, r8, r12, r3; smmlar r9, r9, lr, r3\n"
        "ldmia r1!, {r2, r12}; smmlar r10, r10, r2, r3; smmlar r11, r11, r12, r3\n"
        "ldr r2, [sp, #12]\n"
        ONE_OUT("r4") ONE_OUT("r5") ONE_OUT("r6") ONE_OUT("r7")
        ONE_OUT("r8") ONE_OUT("r9") ONE_OUT("r10") ONE_OUT("r11")
        "str r0, [sp, #8]; cmp r1, r2; bne.w 1b\n"
        "7:\n"
        "add sp, sp, #16; pop {r4-r11, pc}\n");
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

/* Bytes of a loop's code before the steps that come first; each takes `bytes`. */
static uint32_t skipped(size_t steps, size_t unrolled, size_t bytes)
{
    const size_t rest = steps % unrolled;

    return (uint32_t)((((steps > 0U) && (rest == 0U)) ? 0U : (unrolled - rest)) * bytes);
}

/* Outputs from packed on, until `end`. */
static void run(job_t *job, size_t steps, const int32_t *packed, const int32_t *end)
{
    job->eight = skipped(steps, EIGHT_STEPS, EIGHT_BYTES);
    job->four = skipped(steps, FOUR_STEPS, FOUR_BYTES);
    job->end = end;
    if (packed != end) {
        blocks(packed, job);
    }
}

static void dense_pixel(const mplan_dense_s8_dsp_t *p, const int8_t *in, int8_t *out)
{
    const size_t steps = p->in_c / 4U;
    const size_t words = 8U + (2U * ((p->in_c + 1U) / 2U)); /* of four outputs */
    const size_t fours = (p->out_c + 3U) / 4U;
    const size_t first = (p->pre_shift != NULL) ? fours : (2U - (fours % 2U)); /* not by two */
    const size_t rest = p->out_c % 4U;
    const size_t last = (rest == 0U) ? 0U : ((fours > first) ? 2U : 1U);
    const int32_t *const cut = &p->packed[(fours - last) * words];
    job_t job;

    job.in = in;
    job.in_end = &in[4U * steps];
    job.pre_shift = p->pre_shift;
    job.zero_point = p->out_zero_point;
    job.out = out;
    job.eights = &p->packed[first * words];
    widen_rest(&job, job.in_end, p->in_c % 4U);
    run(&job, steps, p->packed, cut);
    if (last > 0U) {
        const size_t whole = 4U * (fours - last);
        int8_t *const spare = (int8_t *)job.rest; /* which is read before it is written */

        job.out = spare;
        job.pre_shift = (p->pre_shift != NULL) ? &p->pre_shift[whole] : NULL;
        run(&job, steps, cut, &cut[last * words]);
        (void)memcpy(&out[whole], spare, p->out_c - whole);
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
