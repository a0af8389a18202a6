/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_conv2d_s8_dsp.h"

/* What `tile` reads; it lies right behind the two patches. Its offsets stand in the assembly. */
typedef struct {
    const uint32_t *patches;  /*  0: words of pixel 0 and 1 in turn */
    uint32_t entry;           /*  4: bytes of code to skip; then the address to enter */
    const uint8_t *pre_shift; /*  8: NULL: none */
    int32_t zero_point;       /* 12 */
    int8_t *out0;             /* 16: output of pixel 0, moves on */
    int8_t *out1;             /* 20: output of pixel 1, moves on; out0 where there is none */
    const int32_t *end;       /* 24: of the packed channels */
} job_t;

#define UNROLL (16U)
#define STEP_BYTES (56U) /* of code */

/*
 * Two pixels by four output channels at a time, until job->end.
 *
 * A step does 16 multiply-accumulates in 15 cycles: four loads in a row (5 cycles), eight dual
 * multiplies, two sign extensions. A weight word holds two taps of 256 * b + a. As it is, it adds
 * to the sums of 256 * b + a (r5 and r9, and r7 and r11 for the channels c, d); its low bytes
 * extended, to the sums of a (r4, r8, r6, r10). A sum of b is their difference / 256, exactly:
 * wrapping does not matter.
 *
 * The loop of 16 steps is entered in its middle where the number of steps is no multiple of 16.
 * At its end r0 points behind the patches, to the job.
 */
__attribute__((naked, noinline, used)) static void tile(
    __attribute__((unused)) const int32_t *packed, __attribute__((unused)) job_t *job)
{
    __asm volatile("push {r1, r4-r11, lr}\n"
                   "ldr r2, [r1, #4]\n"
                   "adr r3, 2f\n"
                   "add r2, r2, r3\n"
                   "orr r2, r2, #1\n"
                   "mov r3, r1\n"
                   "mov r1, r0\n"
                   "b 9f\n"
                   "1:\n"
                   "ldr r3, [sp]\n"
                   "ldr r2, [r3, #4]\n"
                   "9:\n"
                   "ldr r0, [r3]\n"
                   "str r2, [r3, #4]\n"
                   "ldmia r1!, {r4-r7}\n"
                   "mov r8, r4\n"
                   "mov r9, r5\n"
                   "mov r10, r6\n"
                   "mov r11, r7\n"
                   "bx r2\n"
                   ".balign 4\n"
                   "2:\n"
                   ".rept 16\n"
                   "ldr.w r2, [r0], #4\n" /* pixel 0 */
                   "ldr.w r3, [r0], #4\n" /* pixel 1 */
                   "ldr.w r12, [r1], #4\n"
                   "ldr.w lr, [r1], #4\n"
                   "smlad r5, r12, r2, r5\n"
                   "smlad r9, r12, r3, r9\n"
                   "smlad r7, lr, r2, r7\n"
                   "smlad r11, lr, r3, r11\n"
                   "sxtb16 r12, r12\n"
                   "sxtb16 lr, lr\n"
                   "smlad r4, r12, r2, r4\n"
                   "smlad r8, r12, r3, r8\n"
                   "smlad r6, lr, r2, r6\n"
                   "smlad r10, lr, r3, r10\n"
                   ".endr\n"
                   "ldr r2, [sp]\n"
                   "cmp r0, r2\n"
                   "bne.w 2b\n"
                   "ldr r2, [r0, #8]\n"
                   "sub r5, r5, r4\n"
                   "asr r5, r5, #8\n"
                   "sub r9, r9, r8\n"
                   "asr r9, r9, #8\n"
                   "sub r7, r7, r6\n"
                   "asr r7, r7, #8\n"
                   "sub r11, r11, r10\n"
                   "asr r11, r11, #8\n"
                   "cmp r2, #0\n"
                   "bne 4f\n"
                   "3:\n"
                   /* requantize: the high word of sum * multiplier, rounded, onto the zero point */
                   "ldr r0, [r0, #12]\n"
                   "ldmia r1!, {r2, r3, r12, lr}\n"
                   "smmlar r4, r4, r2, r0\n"
                   "smmlar r8, r8, r2, r0\n"
                   "smmlar r5, r5, r3, r0\n"
                   "smmlar r9, r9, r3, r0\n"
                   "smmlar r6, r6, r12, r0\n"
                   "smmlar r10, r10, r12, r0\n"
                   "smmlar r7, r7, lr, r0\n"
                   "smmlar r11, r11, lr, r0\n"
                   "ldr r0, [sp]\n"
                   "ldr r2, [r0, #16]\n"
                   "ldr r3, [r0, #20]\n"
                   "ldr r12, [r0, #24]\n"
                   "ssat r8, #8, r8\n"
                   "ssat r9, #8, r9\n"
                   "ssat r10, #8, r10\n"
                   "ssat r11, #8, r11\n"
                   "ssat r4, #8, r4\n"
                   "ssat r5, #8, r5\n"
                   "ssat r6, #8, r6\n"
                   "ssat r7, #8, r7\n"
                   /* pixel 1 first: where it does not exist, pixel 0 overwrites it */
                   "strb r8, [r3], #1\n"
                   "strb r9, [r3], #1\n"
                   "strb r10, [r3], #1\n"
                   "strb r11, [r3], #1\n"
                   "strb r4, [r2], #1\n"
                   "strb r5, [r2], #1\n"
                   "strb r6, [r2], #1\n"
                   "strb r7, [r2], #1\n"
                   "str r2, [r0, #16]\n"
                   "str r3, [r0, #20]\n"
                   "cmp r1, r12\n"
                   "bne.w 1b\n"
                   "pop {r1, r4-r11, pc}\n"
                   /* left shifts of four channels */
                   "4:\n"
                   "ldrb r3, [r2], #1\n"
                   "ldrb r12, [r2], #1\n"
                   "ldrb lr, [r2], #1\n"
                   "lsl r4, r4, r3\n"
                   "lsl r8, r8, r3\n"
                   "ldrb r3, [r2], #1\n"
                   "lsl r5, r5, r12\n"
                   "lsl r9, r9, r12\n"
                   "lsl r6, r6, lr\n"
                   "lsl r10, r10, lr\n"
                   "lsl r7, r7, r3\n"
                   "lsl r11, r11, r3\n"
                   "str r2, [r0, #8]\n"
                   "b 3b\n");
}

static uint32_t load(const int8_t *from)
{
    uint32_t word;

    (void)memcpy(&word, from, sizeof word); /* any address: one load */
    return word;
}

/* Bytes 0 and 2 of a word as int16. */
static uint32_t even(uint32_t word)
{
    uint32_t result;

    __asm("sxtb16 %0, %1" : "=r"(result) : "r"(word));
    return result;
}

/* Bytes 1 and 3 of a word as int16. */
static uint32_t odd(uint32_t word)
{
    uint32_t result;

    __asm("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
    return result;
}

static uint32_t pair(int8_t low, int8_t high)
{
    return (uint32_t)(uint16_t)low | ((uint32_t)(uint16_t)high << 16);
}

/* Widen `count` bytes into every second word from `to` on; returns where the next run goes. */
static uint32_t *widen(const int8_t *from, uint32_t *to, size_t count)
{
    size_t left = count;

    for (; left >= 8U; left -= 8U) {
        const uint32_t first = load(from);
        const uint32_t second = load(&from[4]);

        from = &from[8];
        to[0] = even(first);
        to[2] = odd(first);
        to[4] = even(second);
        to[6] = odd(second);
        to = &to[8];
    }
    if (left >= 4U) {
        const uint32_t word = load(from);

        from = &from[4];
        to[0] = even(word);
        to[2] = odd(word);
        to = &to[4];
        left -= 4U;
    }
    if (left >= 2U) {
        to[0] = pair(from[0], from[1]);
        from = &from[2];
        to = &to[2];
    }
    if ((left & 1U) != 0U) {
        to[0] = pair(from[0], 0);
        to = &to[2];
    }
    return to;
}

/* Bytes of one kernel row that is not a run inside the input: taps outside are the zero point. */
static void gather(const mplan_conv2d_s8_dsp_t *p, const int8_t *row, int8_t *to, int32_t x_first)
{
    const size_t in_c = p->in_c;
    int32_t x = x_first;

    (void)memset(to, p->in_zero_point, p->kernel_w * in_c);
    for (size_t kx = 0U; (row != NULL) && (kx < p->kernel_w); kx++) {
        if ((x >= 0) && (x < (int32_t)p->in_w)) {
            (void)memcpy(&to[kx * in_c], &row[(size_t)x * in_c], in_c);
        }
        x += (int32_t)p->dilation_w;
    }
}

/* The patch of one output pixel into every second word from `to` on. */
static void patch(const mplan_conv2d_s8_dsp_t *p, const int8_t *in, uint32_t *to, int8_t *line,
                  int32_t y_first, int32_t x_first)
{
    const size_t count = (size_t)p->kernel_w * p->in_c;
    const int inside = (p->dilation_w == 1U) && (x_first >= 0) &&
                       ((x_first + (int32_t)p->kernel_w) <= (int32_t)p->in_w);
    int32_t y = y_first;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const int8_t *row = NULL;
        const int8_t *run = line;

        if ((y >= 0) && (y < (int32_t)p->in_h)) {
            row = &in[mplan_row(&p->in_rows, (size_t)y)];
        }
        if ((row != NULL) && inside) {
            run = &row[(size_t)x_first * p->in_c];
        } else {
            gather(p, row, line, x_first);
        }
        to = widen(run, to, count);
        y += (int32_t)p->dilation_h;
    }
}

/* All channels of one or two output pixels whose patches are made. */
static void outputs(const mplan_conv2d_s8_dsp_t *p, job_t *job, int8_t *out, size_t pixels)
{
    const size_t fours = (size_t)p->out_c / 4U;
    const size_t rest = (size_t)p->out_c % 4U;
    const size_t out1 = (pixels > 1U) ? p->out_c : 0U;
    const int32_t *const last = &p->packed[fours * (8U + (2U * p->steps))];
    int8_t spare[8];

    job->entry = ((UNROLL - (p->steps % UNROLL)) % UNROLL) * STEP_BYTES;
    job->pre_shift = p->pre_shift;
    job->out0 = out;
    job->out1 = &out[out1];
    job->end = last;
    if (fours > 0U) {
        tile(p->packed, job);
    }
    if (rest > 0U) {
        job->entry = ((UNROLL - (p->steps % UNROLL)) % UNROLL) * STEP_BYTES;
        job->out0 = spare;
        job->out1 = &spare[4];
        job->end = &last[8U + (2U * p->steps)];
        tile(last, job);
        (void)memcpy(&out[fours * 4U], spare, rest);
        if (pixels > 1U) {
            (void)memcpy(&out[out1 + (fours * 4U)], &spare[4], rest);
        }
    }
}

/* Narrower limits than int8 has, four bytes at a time. */
static void limit(const mplan_conv2d_s8_dsp_t *p, int8_t *out, size_t count)
{
    if ((p->act_min > -128) || (p->act_max < 127)) {
        for (size_t i = 0U; i < count; i++) {
            out[i] = (int8_t)mplan_clamp(out[i], p->act_min, p->act_max);
        }
    }
}

/* A run of pixels that lie one behind the other, 1x1. */
static void pixels_run(const mplan_conv2d_s8_dsp_t *p, job_t *job, uint32_t *patches,
                       const int8_t *in, int8_t *out, size_t count)
{
    const size_t apart = (size_t)p->stride_w * p->in_c;

    for (size_t x = 0U; x < count; x += 2U) {
        const size_t pixels = ((count - x) > 1U) ? 2U : 1U;

        (void)widen(&in[x * apart], patches, p->in_c);
        if (pixels > 1U) {
            (void)widen(&in[(x + 1U) * apart], &patches[1], p->in_c);
        }
        outputs(p, job, &out[x * p->out_c], pixels);
    }
    limit(p, out, count * p->out_c);
}

/* Rows from y on that continue each other in input and output. */
static size_t joined_rows(const mplan_conv2d_s8_dsp_t *p, size_t y, size_t y1)
{
    const size_t in_bytes = (size_t)p->in_w * p->in_c;
    const size_t out_bytes = (size_t)p->out_w * p->out_c;
    size_t rows = 1U;

    if ((p->stride_h == 1U) && (p->stride_w == 1U)) {
        while (((y + rows) < y1) &&
               (mplan_row(&p->in_rows, y + rows) ==
                (mplan_row(&p->in_rows, y) + (rows * in_bytes))) &&
               (mplan_row(&p->out_rows, y + rows) ==
                (mplan_row(&p->out_rows, y) + (rows * out_bytes)))) {
            rows++;
        }
    }
    return rows;
}

static void window_row(const mplan_conv2d_s8_dsp_t *p, job_t *job, uint32_t *patches,
                       const int8_t *in, int8_t *out, size_t y)
{
    const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
    int8_t *const line = (int8_t *)&job[1];
    int32_t x_first = -(int32_t)p->pad_left;

    for (size_t x = 0U; x < p->out_w; x += 2U) {
        const size_t pixels = ((p->out_w - x) > 1U) ? 2U : 1U;

        for (size_t i = 0U; i < pixels; i++) {
            patch(p, in, &patches[i], line, y_first, x_first);
            x_first += (int32_t)p->stride_w;
        }
        outputs(p, job, &out[x * p->out_c], pixels);
    }
    limit(p, out, (size_t)p->out_w * p->out_c);
}

void mplan_conv2d_s8_dsp(const mplan_conv2d_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1, int8_t *scratch)
{
    uint32_t *const patches = (uint32_t *)(void *)scratch;
    job_t *const job = (job_t *)(void *)&patches[2U * p->steps];
    const int pointwise =
        (p->kernel_h == 1U) && (p->kernel_w == 1U) && (p->pad_top == 0U) && (p->pad_left == 0U) &&
        ((((uint32_t)p->out_w - 1U) * p->stride_w) < p->in_w);
    size_t y = y0;

    job->patches = patches;
    job->zero_point = p->out_zero_point;
    while (y < y1) {
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];
        size_t rows = 1U;

        if (pointwise && ((y * p->stride_h) < p->in_h)) {
            rows = joined_rows(p, y, y1);
            pixels_run(p, job, patches, &in[mplan_row(&p->in_rows, y * p->stride_h)], to,
                       rows * p->out_w);
        } else {
            window_row(p, job, patches, in, to, y);
        }
        y += rows;
    }
}
