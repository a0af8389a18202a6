/* SPDX-License-Identifier: 0BSD */
#include "mplan_depthwise_s8_dsp.h"

#define ROWS (16U)
#define PAIRS (4U)       /* of taps, unrolled */
#define PAIR_BYTES 84    /* of code */

/* What `pixel` needs, copied to its stack frame: the offsets stand in the assembly. */
typedef struct {
    const int8_t *const *rows;     /*  0: first taps in the input, channel 0 */
    const int8_t *const *cursor;   /*  4: of the row under way */
    const int8_t *const *rows_end; /*  8 */
    uint32_t entry;                /* 12: bytes of code to skip; then the address to enter */
    uint32_t weights_skip;         /* 16: bytes from row to row, taps outside the input */
    uint32_t weights_first;        /* 20: bytes from the bias to the first tap in the input */
    const int32_t *four;           /* 24: the four channels under way */
    uint32_t multipliers;          /* 28: bytes from the bias to the multipliers */
    uint32_t channel;              /* 32: first of the four */
    int32_t zero_point;            /* 36: of the output */
    int8_t *out;                   /* 40: moves on */
    const int32_t *end;            /* 44: of the packed channels */
    uint32_t apart;                /* 48: bytes from tap to tap */
    uint32_t minus_zero_point;     /* 52: of the input, twice as int16 */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, rows, 0U) && MPLAN_AT(job_t, cursor, 4U) &&
                    MPLAN_AT(job_t, rows_end, 8U) && MPLAN_AT(job_t, entry, 12U) &&
                    MPLAN_AT(job_t, weights_skip, 16U) && MPLAN_AT(job_t, weights_first, 20U) &&
                    MPLAN_AT(job_t, four, 24U) && MPLAN_AT(job_t, multipliers, 28U) &&
                    MPLAN_AT(job_t, channel, 32U) && MPLAN_AT(job_t, zero_point, 36U) &&
                    MPLAN_AT(job_t, out, 40U) && MPLAN_AT(job_t, end, 44U) &&
                    MPLAN_AT(job_t, apart, 48U) && MPLAN_AT(job_t, minus_zero_point, 52U) &&
                    (sizeof(job_t) == 56U));

/* Four channels of one tap. r11 takes the input zero point off while the bytes are widened. */
#define TAP(in, weights)                                                                           \
    "sxtab16 r8, r11, " in "\n"                                                                    \
    "sxtab16 " in ", r11, " in ", ror #8\n"                                                        \
    "sxtb16 r9, " weights "\n"                                                                     \
    "sxtb16 " weights ", " weights ", ror #8\n"                                                    \
    "smlabb r4, r8, r9, r4; smlatt r6, r8, r9, r6\n"                                               \
    "smlabb r5, " in ", " weights ", r5\n"                                                         \
    "smlatt r7, " in ", " weights ", r7\n"

/* Two taps: 8 multiply-accumulates in 22 cycles. */
#define PAIR                                                                                       \
    "ldr.w r2, [r0]; ldr.w r3, [r0, r10]; ldr.w r12, [r1], #4; ldr.w lr, [r1], #4\n"               \
    "add.w r0, r0, r10, lsl #1\n" TAP("r2", "r12") TAP("r3", "lr")

/*
 * One output pixel, four channels at a time. The taps of a row that lie in the input are a run:
 * pairs, entered so that the right number runs, and a single one where they are odd.
 */
static MPLAN_NAKED void pixel(__attribute__((unused)) const job_t *job)
{
    __asm volatile("push {r4-r11, lr}\n"
                   "sub sp, #60; ldmia r0!, {r1-r7}; stmia sp, {r1-r7}; add r8, sp, #28\n"
                   "ldmia r0, {r1-r7}; stmia r8, {r1-r7}; mov r10, r6; mov r11, r7\n"
                   "ldr r2, [sp, #12]; adr r3, 3f; add r2, r2, r3; orr r2, r2, #1\n"
                   "str r2, [sp, #12]\n"
                   "1:\n"
                   "ldr r1, [sp, #24]; ldr r3, [sp, #20]; ldr r2, [sp, #0]; ldmia r1, {r4-r7}\n"
                   "add r1, r1, r3\n"
                   "2:\n" /* a row */
                   "ldr r0, [r2], #4; ldr r3, [sp, #32]; ldr r12, [sp, #12]; str r2, [sp, #4]\n"
                   "add r0, r0, r3; bx r12\n"
                   ".balign 4\n"
                   "3:\n" PAIR PAIR PAIR PAIR MPLAN_CODE_BYTES("3b", 4 * PAIR_BYTES)
                   "b.w 4f\n" PAIR PAIR PAIR PAIR MPLAN_CODE_BYTES("3b", 8 * PAIR_BYTES + 4)
                   "ldr r2, [r0]\n"
                   "ldr r12, [r1], #4\n" TAP("r2", "r12")
                   "4:\n"
                   "ldr r2, [sp, #4]; ldr r3, [sp, #8]; ldr r12, [sp, #16]; add r1, r1, r12\n"
                   "cmp r2, r3; bne.w 2b\n"
                   /* requantize: the high word of sum * multiplier, rounded, onto the zero point */
                   "ldr r0, [sp, #24]; ldr r1, [sp, #28]; ldr r8, [sp, #36]; ldr r9, [sp, #40]\n"
                   "add r0, r0, r1; ldmia r0!, {r2, r3, r12, lr}; smmlar r4, r4, r2, r8\n"
                   "smmlar r5, r5, r3, r8; smmlar r6, r6, r12, r8; smmlar r7, r7, lr, r8\n"
                   "ldr r1, [sp, #44]; ldr r2, [sp, #32]; ssat r4, #8, r4; ssat r5, #8, r5\n"
                   "ssat r6, #8, r6; ssat r7, #8, r7; add r2, r2, #4; strb r4, [r9], #1\n"
                   "strb r5, [r9], #1; strb r6, [r9], #1; strb r7, [r9], #1; str r2, [sp, #32]\n"
                   "str r9, [sp, #40]; str r0, [sp, #24]; cmp r0, r1; bne.w 1b\n"
                   "add sp, #60\n"
                   "pop {r4-r11, pc}\n");
}

/* Taps [first, end) of a window of `kernel` that lie in the input; the window begins at `at`. */
typedef struct {
    uint32_t first;
    uint32_t end;
} taps_t;

static taps_t taps_inside(int32_t at, uint32_t kernel, uint32_t size)
{
    taps_t taps;

    taps.first = (at < 0) ? (uint32_t)(-at) : 0U;
    taps.end = kernel;
    if ((at + (int32_t)kernel) > (int32_t)size) {
        taps.end = (uint32_t)((int32_t)size - at);
    }
    return taps;
}

/* One output row; `lines` are the input rows from tap row `down.first` on, `starts` is space. */
static void output_row(const mplan_depthwise_s8_dsp_t *p, job_t *job, const int8_t **starts,
                       const int8_t *const *lines, taps_t down, int8_t *out)
{
    const size_t count = down.end - down.first;

    job->rows = starts;
    job->rows_end = &starts[count];
    for (size_t x = 0U; x < p->out_w; x++) {
        const int32_t at = (int32_t)(x * p->stride_w) - (int32_t)p->pad_left;
        const taps_t across = taps_inside(at, p->kernel_w, p->in_w);
        const uint32_t taps = across.end - across.first;
        const int32_t first = (at + (int32_t)across.first) * (int32_t)p->channels;

        for (size_t i = 0U; i < count; i++) {
            starts[i] = &lines[i][first];
        }
        /* pairs without a single one, a branch, pairs with one */
        job->entry = (PAIRS - (taps / 2U)) * PAIR_BYTES;
        if ((taps % 2U) != 0U) {
            job->entry += (PAIRS * PAIR_BYTES) + 4U;
        }
        job->weights_skip = (p->kernel_w - taps) * 4U;
        job->weights_first = 16U + (((down.first * p->kernel_w) + across.first) * 4U);
        job->four = p->packed;
        job->channel = 0U;
        job->out = &out[x * p->channels];
        pixel(job);
    }
}

static void limit(const mplan_depthwise_s8_dsp_t *p, int8_t *out)
{
    if ((p->act_min > -128) || (p->act_max < 127)) {
        for (size_t i = 0U; i < ((size_t)p->out_w * p->channels); i++) {
            out[i] = (int8_t)mplan_clamp(out[i], p->act_min, p->act_max);
        }
    }
}

MPLAN_KERNEL
void mplan_depthwise_s8_dsp(const mplan_depthwise_s8_dsp_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1)
{
    const uint32_t window = (uint32_t)p->kernel_h * p->kernel_w;
    const uint32_t minus = (uint32_t)(-(int32_t)p->in_zero_point) & 0xFFFFU;
    const int8_t *starts[ROWS];
    job_t job;

    job.cursor = NULL;
    job.multipliers = 16U + (4U * window);
    job.zero_point = p->out_zero_point;
    job.end = &p->packed[(p->channels / 4U) * (8U + window)];
    job.apart = p->channels;
    job.minus_zero_point = minus | (minus << 16);
    for (size_t y = y0; y < y1; y++) {
        const int32_t at = (int32_t)(y * p->stride_h) - (int32_t)p->pad_top;
        const taps_t down = taps_inside(at, p->kernel_h, p->in_h);
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];
        const int8_t *lines[ROWS];

        for (uint32_t ky = down.first; ky < down.end; ky++) {
            lines[ky - down.first] = &in[mplan_row(&p->in_rows, (size_t)(at + (int32_t)ky))];
        }
        output_row(p, &job, starts, lines, down, to);
        limit(p, to);
    }
}
