/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_conv2d_s8_dsp.h"

/* What `tile` reads; it lies right behind the two patches. Its offsets stand in the assembly. */
typedef struct {
    const uint32_t *patches;  /*  0: words of pixel 0 and 1 in turn */
    uint32_t skip;            /*  4: bytes of code before the entry */
    const uint8_t *pre_shift; /*  8: NULL: none */
    int32_t zero_point;       /* 12 */
    int8_t *out0;             /* 16: output of pixel 0, moves on */
    int8_t *out1;             /* 20: output of pixel 1, moves on; out0 where there is none */
    const int32_t *end;       /* 24: of the packed channels */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, patches, 0U) && MPLAN_AT(job_t, skip, 4U) &&
                    MPLAN_AT(job_t, pre_shift, 8U) && MPLAN_AT(job_t, zero_point, 12U) &&
                    MPLAN_AT(job_t, out0, 16U) && MPLAN_AT(job_t, out1, 20U) &&
                    MPLAN_AT(job_t, end, 24U) && (sizeof(job_t) == 28U));

#define UNROLL 12     /* steps */
#define STEP_BYTES 56 /* of code */
#define KERNEL_ROWS (16U)
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

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
static NAKED void tile(UNREAD const int32_t *packed, UNREAD job_t *job)
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
        ".endr\n" MPLAN_CODE_BYTES("2b", UNROLL * STEP_BYTES)
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

/* Four bytes to two words in 6 cycles, 32 bytes a round; then the last one to three bytes. */
#define WIDEN(from, end)                                                                           \
    ".rept 8\n"                                                                                    \
    "ldr.w r3, [" from "], #4; sxtb16 r12, r3; sxtb16 r3, r3, ror #8\n"                            \
    "str.w r12, [r1], #8; str.w r3, [r1], #8\n"                                                    \
    ".endr\n"                                                                                      \
    "cmp " from ", " end "; bne.w 2b\n.balign 4\n"                                                 \
    "3: cbz r4, 4f; cmp r4, #2; ldrsb r3, [" from "], #1\n"                                        \
    "itt hs; ldrsbhs r12, [" from "], #1; pkhbths r3, r3, r12, lsl #16\n"                          \
    "str r3, [r1], #8; bls 4f; ldrsb r3, [" from "]; str r3, [r1], #8\n4:\n"

/* r4 = bytes of the rest, r2 = bytes before it, `to` = where to enter the round for them */
#define ENTRY(to)                                                                                  \
    "and r4, r2, #3; sub r2, r2, r4\n"                                                             \
    "rsb r3, r2, #0; and r3, r3, #28; add r3, r3, r3, lsl #2\n"                                    \
    "adr " to ", 2f; add " to ", " to ", r3\n"                                                     \
    "cbnz r2, 5f; adr " to ", 3f\n"                                                                \
    "5: orr " to ", " to ", #1\n"

/* Widen `count` bytes into every second word from `to` on; returns where the next run goes. */
static NAKED uint32_t *widen(UNREAD const int8_t *from, UNREAD uint32_t *to, UNREAD size_t count)
{
    __asm volatile("push {r4, lr}\n" ENTRY("r12")
                   "add r2, r2, r0; bx r12\n"
                   ".balign 4\n2:\n" WIDEN("r0", "r2")
                   "mov r0, r1; pop {r4, pc}\n");
}

/* Widen the run of `count` bytes from `first` on of each of the lines up to `end`. */
static NAKED void widen_lines(UNREAD const int8_t *const *lines, UNREAD uint32_t *to,
                              UNREAD size_t count, UNREAD const int8_t *const *end,
                              UNREAD int32_t first)
{
    __asm volatile("push {r4-r9, lr}\n"
                   "ldr r9, [sp, #28]; mov r8, r3\n" ENTRY("r7")
                   "1:\n"
                   "ldr r5, [r0], #4; add r5, r5, r9; add r6, r5, r2; bx r7\n"
                   ".balign 4\n2:\n" WIDEN("r5", "r6")
                   "cmp r0, r8; bne.w 1b\n"
                   "pop {r4-r9, pc}\n");
}

/* Bytes of one kernel row that is not a run inside the input: taps outside are the zero point. */
static void gather(const mplan_conv2d_s8_dsp_t *p, const int8_t *row, int8_t *to, int32_t x_first)
{
    const size_t in_c = p->in_c;
    int32_t x = x_first;

    (void)memset(to, p->in_zero_point, p->kernel_w * in_c);
    for (size_t kx = 0U; kx < p->kernel_w; kx++) {
        if ((x >= 0) && (x < (int32_t)p->in_w)) {
            (void)memcpy(&to[kx * in_c], &row[(size_t)x * in_c], in_c);
        }
        x += (int32_t)p->dilation_w;
    }
}

/* The input rows of an output row, NULL where they lie outside. Returns whether all lie inside. */
static int find_lines(const mplan_conv2d_s8_dsp_t *p, const int8_t *in, const int8_t **lines,
                       size_t y)
{
    int32_t from = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
    int whole = 1;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        lines[ky] = NULL;
        if ((from >= 0) && (from < (int32_t)p->in_h)) {
            lines[ky] = &in[mplan_row(&p->in_rows, (size_t)from)];
        } else {
            whole = 0;
        }
        from += (int32_t)p->dilation_h;
    }
    return whole;
}

/* The patch of one output pixel line by line, where not all of it lies inside the input. */
static void border_patch(const mplan_conv2d_s8_dsp_t *p, const int8_t *const *lines, uint32_t *to,
                         int8_t *spare, int32_t x_first)
{
    const uint32_t padding = ((uint32_t)p->in_zero_point & 0xFFFFU) * 0x10001U;
    const size_t count = (size_t)p->kernel_w * p->in_c;
    const int inside = (p->dilation_w == 1U) && (x_first >= 0) &&
                       ((x_first + (int32_t)p->kernel_w) <= (int32_t)p->in_w);

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        if (lines[ky] == NULL) {
            for (size_t i = 0U; i < count; i += 2U) { /* behind an odd count the weight is 0 */
                to[i] = padding;
            }
            to = &to[2U * ((count + 1U) / 2U)];
        } else if (inside) {
            to = widen(&lines[ky][x_first * (int32_t)p->in_c], to, count);
        } else {
            gather(p, lines[ky], spare, x_first);
            to = widen(spare, to, count);
        }
    }
}

/* All channels of two output pixels whose patches are made; out1 is out0 where there is one. */
static void outputs(const mplan_conv2d_s8_dsp_t *p, job_t *job, int8_t *out0, int8_t *out1)
{
    const size_t rest = (size_t)p->out_c % 4U;

    job->pre_shift = p->pre_shift;
    job->out0 = out0;
    job->out1 = out1;
    if (job->end != p->packed) {
        tile(p->packed, job);
    }
    if (rest > 0U) {
        const int32_t *const last = job->end;
        const size_t whole = (size_t)p->out_c - rest;
        int8_t spare[8];

        job->out0 = spare;
        job->out1 = &spare[4];
        job->end = &last[8U + (2U * p->steps)];
        tile(last, job);
        job->end = last;
        (void)memcpy(&out1[whole], &spare[4], rest);
        (void)memcpy(&out0[whole], spare, rest);
    }
}

/* Output rows of a 1x1 kernel. Returns the output of a last pixel that waits for a second one. */
static int8_t *pointwise_rows(const mplan_conv2d_s8_dsp_t *p, job_t *job, uint32_t *patches,
                              const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    const size_t apart = (size_t)p->stride_w * p->in_c;
    int8_t *waiting = NULL;

    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y * p->stride_h)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = p->out_w; x > 0U; x--) {
            if (waiting == NULL) {
                (void)widen(from, patches, p->in_c);
                waiting = to;
            } else {
                (void)widen(from, &patches[1], p->in_c);
                outputs(p, job, waiting, to);
                waiting = NULL;
            }
            from = &from[apart];
            to = &to[p->out_c];
        }
    }
    return waiting;
}

/* Output rows of any other kernel. Returns as above. */
static int8_t *window_rows(const mplan_conv2d_s8_dsp_t *p, job_t *job, uint32_t *patches,
                           const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    const int32_t x_last = (int32_t)p->in_w - (int32_t)p->kernel_w;
    const size_t count = (size_t)p->kernel_w * p->in_c;
    const int8_t *lines[KERNEL_ROWS];
    int8_t *waiting = NULL;

    for (size_t y = y0; y < y1; y++) {
        const int whole = find_lines(p, in, lines, y) && (p->dilation_w == 1U);
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        int32_t x_first = -(int32_t)p->pad_left;

        for (size_t x = p->out_w; x > 0U; x--) {
            uint32_t *const lane = &patches[(waiting != NULL) ? 1U : 0U];

            if (whole && (x_first >= 0) && (x_first <= x_last)) {
                widen_lines(lines, lane, count, &lines[p->kernel_h], x_first * (int32_t)p->in_c);
            } else {
                border_patch(p, lines, lane, (int8_t *)&job[1], x_first);
            }
            x_first += (int32_t)p->stride_w;
            if (waiting == NULL) {
                waiting = to;
            } else {
                outputs(p, job, waiting, to);
                waiting = NULL;
            }
            to = &to[p->out_c];
        }
    }
    return waiting;
}

MPLAN_KERNEL void mplan_conv2d_s8_dsp(const mplan_conv2d_s8_dsp_t *p, const int8_t *in,
                                      int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    uint32_t *const patches = (uint32_t *)(void *)scratch;
    job_t *const job = (job_t *)(void *)&patches[2U * p->steps];
    const uint32_t looped = p->steps - 1U;
    const uint32_t skipped = (looped > 0U) ? ((UNROLL - (looped % UNROLL)) % UNROLL) : UNROLL;
    int8_t *last;

    job->patches = patches;
    job->zero_point = p->out_zero_point;
    job->skip = skipped * STEP_BYTES;
    job->end = &p->packed[(p->out_c / 4U) * (8U + (2U * p->steps))]; /* of whole fours */
    /* 1x1 inside the input: the patch is the pixel */
    if ((p->kernel_h == 1U) && (p->kernel_w == 1U) && ((p->pad_top | p->pad_left) == 0U) &&
        (((p->out_w - 1U) * p->stride_w) < p->in_w) && (((y1 - 1U) * p->stride_h) < p->in_h)) {
        last = pointwise_rows(p, job, patches, in, out, y0, y1);
    } else {
        last = window_rows(p, job, patches, in, out, y0, y1);
    }
    if (last != NULL) {
        outputs(p, job, last, last);
    }
    for (size_t y = y0; ((p->act_min > -128) || (p->act_max < 127)) && (y < y1); y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < ((size_t)p->out_w * p->out_c); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}
