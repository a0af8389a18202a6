/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_columns_s8_mve.h"
#include "mplan_depthwise_s8_mve.h"

#define ROWS (16U)
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* What `pixels` reads; the offsets stand in the assembly. */
typedef struct {
    int8_t *columns;       /*  0: of the first pixel: [column][word][MPLAN_LANES][MPLAN_QUAD] */
    const int32_t *packed; /*  4: of the first channel */
    int8_t *out;           /*  8: of the first pixel and channel */
    uint32_t count;        /* 12: pixels, at least 1 */
    uint32_t fours;        /* 16: channels / 4 */
    uint32_t out_skip;     /* 20: bytes from the end of the channels to the next pixel */
    uint32_t advance;      /* 24: bytes of columns from pixel to pixel */
    int32_t zero_point;    /* 28 */
    int32_t act_min;       /* 32 */
    int32_t act_max;       /* 36 */
    int8_t padding[MPLAN_LANES]; /* what rows outside the input read as */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, columns, 0U) && MPLAN_AT(job_t, packed, 4U) &&
                    MPLAN_AT(job_t, out, 8U) && MPLAN_AT(job_t, count, 12U) &&
                    MPLAN_AT(job_t, fours, 16U) && MPLAN_AT(job_t, out_skip, 20U) &&
                    MPLAN_AT(job_t, advance, 24U) && MPLAN_AT(job_t, zero_point, 28U) &&
                    MPLAN_AT(job_t, act_min, 32U) && MPLAN_AT(job_t, act_max, 36U));

/* Words that hold a column of a window. */
static inline size_t words_of_column(const mplan_depthwise_s8_mve_t *p)
{
    return ((size_t)p->kernel_h + MPLAN_QUAD - 1U) / MPLAN_QUAD;
}

/*
 * A vector of the window times its weights. The four words of the window are 64 bytes apart: a
 * gather, whose addresses move on to the next channel.
 */
#define NEXT(acc, words) "vldrw.u32 q0, [" words ", #4]!\n" DOT(acc)
#define SAME(acc, words) "vldrw.u32 q0, [" words ", #256]\n" DOT(acc)
#define DOT(acc) "vldrb.8 q1, [r1], #16\nvmladava.s8 " acc ", q0, q1\n"

#define WINDOW1(acc) NEXT(acc, "q4")
#define WINDOW2(acc) WINDOW1(acc) SAME(acc, "q4")
#define WINDOW3(acc) WINDOW2(acc) NEXT(acc, "q5")
#define WINDOW4(acc) WINDOW3(acc) SAME(acc, "q5")

/* Output pixels one after the other, four channels at a time. */
#define PIXELS(window)                                                                             \
    "push {r4-r12, lr}; vpush {d8-d13}\n"                                                          \
    "ldr r5, [r0, #12]; ldr r12, [r0, #16]; ldr r11, [r0, #20]; ldr r10, [r0, #24]\n"              \
    "ldr r7, [r0, #28]; ldr r2, [r0, #32]; ldr r4, [r0, #36]; vdup.32 q2, r2; vdup.32 q3, r4\n"    \
    "ldr r9, [r0, #4]; ldr r3, [r0, #8]; ldr r0, [r0]\n"                                           \
    "movs r2, #0; vidup.u32 q6, r2, #8; vshl.i32 q6, q6, #3; subs r0, #4\n"                        \
    "1:\n" /* a pixel */                                                                           \
    "add r2, r0, #512; vadd.i32 q4, q6, r0; vadd.i32 q5, q6, r2; mov r1, r9; dls lr, r12\n"        \
    "2:\n" /* four channels, from their biases on */                                               \
    "ldrd r2, r4, [r1], #8; ldrd r6, r8, [r1], #8\n"                                               \
    window("r2") window("r4") window("r6") window("r8")                                            \
    "vmov d0, r2, r4; vmov d1, r6, r8; vldrw.32 q1, [r1], #16\n"                                   \
    "vrmulh.s32 q0, q0, q1; vadd.i32 q0, q0, r7; vmax.s32 q0, q0, q2; vmin.s32 q0, q0, q3\n"       \
    "vstrb.32 q0, [r3], #4\n"                                                                      \
    "le lr, 2b\n"                                                                                  \
    "add r0, r0, r10; add r3, r3, r11; subs r5, #1; bne 1b\n"                                      \
    "vpop {d8-d13}; pop {r4-r12, pc}\n"

static NAKED void pixels1(UNREAD const job_t *job)
{
    __asm volatile(PIXELS(WINDOW1));
}

static NAKED void pixels2(UNREAD const job_t *job)
{
    __asm volatile(PIXELS(WINDOW2));
}

static NAKED void pixels3(UNREAD const job_t *job)
{
    __asm volatile(PIXELS(WINDOW3));
}

static NAKED void pixels4(UNREAD const job_t *job)
{
    __asm volatile(PIXELS(WINDOW4));
}

static void pixels(const job_t *job, uint32_t steps)
{
    if (steps == 1U) {
        pixels1(job);
    } else if (steps == 2U) {
        pixels2(job);
    } else if (steps == 3U) {
        pixels3(job);
    } else {
        pixels4(job);
    }
}

/*
 * Rows of a window that begins `down` rows below row 0, `count` columns of them, for the first
 * channels. Columns in the padding are made here; they serve all channels.
 */
static void start_rows(const mplan_depthwise_s8_mve_t *p, const job_t *job, const int8_t *in,
                       mplan_columns_t *fours, int32_t down, int32_t across, size_t count)
{
    const size_t column = MPLAN_WORD_BYTES * words_of_column(p);
    const size_t begin = (size_t)mplan_clamp(-across, 0, (int32_t)count);
    const size_t end =
        (size_t)mplan_clamp((int32_t)p->in_w - across, (int32_t)begin, (int32_t)count);
    const size_t at = (size_t)(across + (int32_t)begin) * p->channels;
    int32_t y = down;

    mplan_blank(p->in_zero_point, job->columns, begin * column);
    mplan_blank(p->in_zero_point, &job->columns[end * column], (count - end) * column);
    for (size_t word = 0U; word < words_of_column(p); word++) {
        mplan_columns_t *const rows = &fours[word];

        rows->to = &job->columns[(begin * column) + (word * MPLAN_WORD_BYTES)];
        rows->column = column;
        rows->channels = p->channels;
        rows->count = end - begin;
        rows->guarded = (p->channels < (MPLAN_LANES / 2U)) ? rows->count : 1U;
        for (size_t i = 0U; i < MPLAN_QUAD; i++) {
            const int inside = ((((word * MPLAN_QUAD) + i) < p->kernel_h) && (y >= 0) &&
                                (y < (int32_t)p->in_h))
                                   ? 1
                                   : 0;

            rows->from[i] =
                (inside != 0) ? &in[mplan_row(&p->in_rows, (size_t)y) + at] : job->padding;
            rows->apart[i] = (inside != 0) ? p->channels : 0U;
            rows->next[i] = (inside != 0) ? MPLAN_LANES : 0U;
            y += (int32_t)p->dilation_h;
        }
    }
}

/* Up to three channels behind the last four, pixel by pixel. */
static void last_channels(const mplan_depthwise_s8_mve_t *p, job_t job, int8_t *out, size_t count)
{
    const mve_pred16_t lanes = vctp8q((uint32_t)p->channels % MPLAN_QUAD);
    int8_t four[MPLAN_LANES];

    job.columns = &job.columns[job.fours * MPLAN_WORD_BYTES / MPLAN_LANES * MPLAN_QUAD];
    job.fours = 1U;
    job.count = 1U;
    job.out = four;
    for (size_t i = count; i > 0U; i--) {
        pixels(&job, p->steps);
        vstrbq_p_s8(out, vldrbq_s8(four), lanes);
        job.columns = &job.columns[job.advance];
        out = &out[p->channels];
    }
}

/* `count` output pixels, some channels at a time; their rows and columns are set up. */
static void strip(const mplan_depthwise_s8_mve_t *p, job_t *job, mplan_columns_t *fours,
                  int8_t *out, size_t count)
{
    const size_t words = (2U + (4U * (size_t)p->steps)) * MPLAN_QUAD; /* of four channels */

    job->packed = p->packed;
    for (size_t c = 0U; c < p->channels; c += MPLAN_LANES) {
        const size_t left = (size_t)p->channels - c;
        const size_t whole = ((left < MPLAN_LANES) ? left : MPLAN_LANES) / MPLAN_QUAD;

        for (size_t i = 0U; (i < words_of_column(p)) && (fours->count > 0U); i++) {
            mplan_weave(&fours[i]);
        }
        job->out = &out[c];
        job->count = (uint32_t)count;
        job->fours = (uint32_t)whole;
        job->out_skip = (uint32_t)p->channels - (uint32_t)(whole * MPLAN_QUAD);
        if (whole > 0U) {
            pixels(job, p->steps);
        }
        job->packed = &job->packed[whole * words];
        if ((left < MPLAN_LANES) && ((left % MPLAN_QUAD) > 0U)) {
            last_channels(p, *job, &out[c + (whole * MPLAN_QUAD)], count);
        }
    }
}

MPLAN_KERNEL
void mplan_depthwise_s8_mve(const mplan_depthwise_s8_mve_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch)
{
    mplan_columns_t fours[ROWS / MPLAN_QUAD];
    job_t job;

    vstrbq_s8(job.padding, vdupq_n_s8(p->in_zero_point));
    job.columns = scratch;
    job.advance = (uint32_t)(MPLAN_WORD_BYTES * p->stride_w * words_of_column(p));
    job.zero_point = p->out_zero_point;
    job.act_min = p->act_min;
    job.act_max = p->act_max;
    for (size_t y = y0; y < y1; y++) {
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x += p->strip) {
            const size_t left = (size_t)p->out_w - x;
            const size_t count = (left < p->strip) ? left : p->strip;

            start_rows(p, &job, in, fours, (int32_t)(y * p->stride_h) - (int32_t)p->pad_top,
                       (int32_t)(x * p->stride_w) - (int32_t)p->pad_left,
                       ((count - 1U) * p->stride_w) + p->kernel_w);
            strip(p, &job, fours, &to[x * p->channels], count);
        }
    }
}
