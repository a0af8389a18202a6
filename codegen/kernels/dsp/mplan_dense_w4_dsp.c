/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_dense_w4_dsp.h"

#define STEPS 8 /* of the loop, and bytes of code of one */
#define STEP_BYTES 68

/* A block of inputs: what its four sums begin with. `fours` reads the words in this order. */
typedef struct {
    const int8_t *end;
    int32_t first[4];
    uint32_t skipped; /* bytes of code before the first step */
} block_t;
MPLAN_STATIC_ASSERT(block_as_in_assembly, sizeof(block_t) == 24U);

/* What `fours` reads. Its offsets stand in the assembly. */
typedef struct {
    const int8_t *in;         /*  0 */
    const block_t *blocks;    /*  4 */
    const int8_t *in_end;     /*  8 */
    const uint8_t *pre_shift; /* 12: NULL: none; moves on */
    int32_t zero_point;       /* 16 */
    int8_t *out;              /* 20: moves on */
    const int32_t *end;       /* 24: of the packed outputs */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, in, 0U) && MPLAN_AT(job_t, blocks, 4U) &&
                    MPLAN_AT(job_t, in_end, 8U) && MPLAN_AT(job_t, pre_shift, 12U) &&
                    MPLAN_AT(job_t, zero_point, 16U) && MPLAN_AT(job_t, out, 20U) &&
                    MPLAN_AT(job_t, end, 24U));

/*
 * Four taps of four outputs, 16 multiply-accumulates in 18 cycles. With a, b and c raised by 8, to
 * r4 go products of 4096 * d + 256 * c + 16 * b + a, to r6 of 256 * c + a. Those of 16 * b + a and
 * of a come by half as many products, to r5 and r7:
 *   (x1 + w0) * (x0 + w1) = x0 * w0 + x1 * w1 + x0 * x1 + w0 * w1
 * as the extension of a byte does the addition. What sums begin with takes away x0 * x1, and what
 * raises them; w0 * w1 is in the bias.
 *
 * Source: Winograd 1968, A New Algorithm for Inner Product.
 */
#define STEP                                                                                       \
    "ldr.w r2, [r0], #4; ldr.w r8, [r1], #4; ldr.w r9, [r1], #4\n"                                 \
    "sxtb16 r3, r2, ror #8; sxtb16 r2, r2\n"                                                       \
    "smlad r4, r8, r2, r4; smlad r4, r9, r3, r4\n"                                                 \
    "uxtab16 r10, r3, r8; uxtab16 r12, r2, r9; smlad r5, r10, r12, r5\n"                           \
    "and.w r8, r8, lr; and.w r9, r9, lr\n"                                                         \
    "smlad r6, r8, r2, r6; smlad r6, r9, r3, r6\n"                                                 \
    "uxtab16 r3, r3, r8; uxtab16 r2, r2, r9; smlad r7, r3, r2, r7\n"
/* The four sums apart, times their factors, to those of all blocks; whether it was the last. */
#define BLOCK_SUMS                                                                                 \
    "ldr r12, [r1], #4; ldm.w sp, {r2, r3, r8, r9, r10}; cmp r0, r10\n"                            \
    "sub r6, r6, r7; sub r4, r4, r5; sub r4, r4, r6; sub r5, r5, r7; asr r5, r5, #4\n"             \
    "and r10, r12, #15; mla r2, r7, r10, r2; ubfx r10, r12, #4, #4; mla r3, r5, r10, r3\n"         \
    "and r10, r12, #0x0F000000; smmla r8, r6, r10, r8\n"                                           \
    "and r10, r12, #0x00F00000; smmla r9, r4, r10, r9; stm.w sp, {r2, r3, r8, r9}\n"
#define SHIFTED(sum) "ldrb r5, [r4], #1; lsl " sum ", " sum ", r5\n"
#define ONE_OUT(sum) "ssat " sum ", #8, " sum "; strb " sum ", [r0], #1\n"

/*
 * Outputs of one pixel, four at a time, until job->end. sp + 0 sums, + 16 end of the inputs, + 20
 * end of the block, + 24 job; lr 0x0F0F0F0F
 */
static MPLAN_NAKED void fours(__attribute__((unused)) const int32_t *packed,
                              __attribute__((unused)) job_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, #36; ldr r2, [r1, #8]; str r2, [sp, #16]; str r1, [sp, #24]\n"
        "mov r1, r0; mov.w lr, #0x0F0F0F0F\n"
        "1:\n" /* four outputs */
        "ldr r2, [sp, #24]; ldm r1!, {r4-r7}; stm.w sp, {r4-r7}\n"
        "ldr r0, [r2]; ldr.w r11, [r2, #4]\n"
        ".balign 4\n"
        "2:\n" /* a block */
        "ldm.w r11!, {r3-r7, r12}; str.w r3, [sp, #20]; add pc, r12; nop\n"
        "3:\n" /* pc of the addition */
        ".rept 8\n" STEP ".endr\n" MPLAN_CODE_BYTES("3b", STEPS * STEP_BYTES)
        "ldr.w r10, [sp, #20]; cmp r0, r10; bne.w 3b\n" BLOCK_SUMS "bne.w 2b\n"
        "ldr.w r12, [sp, #24]; ldr.w r4, [r12, #12]; cmp r4, #0; beq 4f\n" SHIFTED("r2")
        SHIFTED("r3") SHIFTED("r8") SHIFTED("r9") "str.w r4, [r12, #12]\n"
        "4:\n" /* requantize: sum * multiplier, its high word rounded, onto the zero point */
        "ldr.w r10, [r12, #16]; ldr.w r0, [r12, #20]; ldm r1!, {r4-r7}\n"
        "smmlar r2, r2, r4, r10; smmlar r3, r3, r5, r10\n"
        "smmlar r8, r8, r6, r10; smmlar r9, r9, r7, r10\n"
        ONE_OUT("r2") ONE_OUT("r3") ONE_OUT("r8") ONE_OUT("r9")
        "str.w r0, [r12, #20]; ldr.w r4, [r12, #24]; cmp r1, r4; bne.w 1b\n"
        "add sp, #36; pop {r4-r11, pc}\n");
}

/* What the sums of a block of inputs begin with. */
static void begin(block_t *block, const int8_t *in, size_t count)
{
    int32_t crossed = 0;
    int32_t all = 0;

    for (size_t i = 0U; i < count; i += 4U) {
        int32_t even;
        int32_t odd;

        (void)memcpy(&odd, &in[i], sizeof odd);
        __asm("sxtb16 %0, %1; sxtb16 %1, %1, ror #8" : "=&r"(even), "+r"(odd));
        __asm("smlad %0, %1, %2, %0" : "+r"(crossed) : "r"(even), "r"(odd));
        __asm("sadd16 %0, %0, %1" : "+r"(even) : "r"(odd));
        __asm("smlad %0, %1, %2, %0" : "+r"(all) : "r"(even), "r"(0x00010001));
    }
    all *= 8; /* that raise weights */
    block->end = &in[count];
    block->first[0] = -273 * all;
    block->first[1] = -crossed - (17 * all);
    block->first[2] = -257 * all;
    block->first[3] = -crossed - all;
    block->skipped = (uint32_t)(((STEPS - ((count / 4U) % STEPS)) % STEPS) * STEP_BYTES);
}

static void dense_pixel(const mplan_dense_w4_dsp_t *p, const int8_t *in, int8_t *out,
                        block_t *blocks)
{
    const size_t count = ((size_t)p->in_c + p->block - 1U) / p->block;
    const size_t words = 8U + count + (p->in_c / 2U); /* of four outputs */
    const size_t whole = p->out_c / 4U;
    const size_t rest = p->out_c % 4U;
    const int32_t *const cut = &p->packed[whole * words];
    job_t job;

    for (size_t i = 0U; i < count; i++) {
        const size_t first = i * p->block;
        const size_t left = p->in_c - first;

        begin(&blocks[i], &in[first], (left < p->block) ? left : p->block);
    }
    job.in = in;
    job.blocks = blocks;
    job.in_end = &in[p->in_c];
    job.pre_shift = p->pre_shift;
    job.zero_point = p->out_zero_point;
    job.out = out;
    job.end = cut;
    if (whole > 0U) {
        fours(p->packed, &job);
    }
    if (rest > 0U) {
        int8_t last[4];

        job.out = last;
        job.end = &cut[words];
        fours(cut, &job);
        (void)memcpy(&out[4U * whole], last, rest);
    }
    if ((p->act_min > -128) || (p->act_max < 127)) {
        for (size_t i = 0U; i < p->out_c; i++) {
            out[i] = (int8_t)mplan_clamp(out[i], p->act_min, p->act_max);
        }
    }
}

MPLAN_KERNEL
void mplan_dense_w4_dsp(const mplan_dense_w4_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1, int8_t *scratch)
{
    block_t *const blocks = (block_t *)(void *)scratch;

    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            dense_pixel(p, &from[x * p->in_c], &to[x * p->out_c], blocks);
        }
    }
}
