/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_conv2d_s8_mve.h"
#include "mplan_patches_s8_mve.h"
#include "mplan_windows.h"

#define LANES (16U)
#define QUAD (4U)   /* channels that leave together */
#define PIXELS (3U) /* computed together */
#define KERNEL_ROWS (16U)
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* Pixels that wait for their outputs. The offsets stand in the assembly. */
typedef struct {
    const int32_t *packed;    /*  0: of the first channel */
    int8_t *patches;          /*  4: [steps][PIXELS][LANES] */
    int8_t *out[PIXELS];      /*  8: of the first channel */
    uint32_t triples;         /* 20: of vectors of a patch */
    uint32_t rest;            /* 24: vectors behind them */
    uint32_t fours;           /* 28: channels / 4, at least 1 */
    int32_t zero_point;       /* 32 */
    uint32_t shifts;          /* 36: 0: none */
    int32_t act_min;          /* 40 */
    int32_t act_max;          /* 44 */
    const int8_t *in[PIXELS]; /* 48: patches in order */
    uint32_t taps;            /* 60: bytes of a patch */
    size_t count;             /* of pixels that wait */
    int8_t *lines;            /* [PIXELS][patch_bytes]: patches that are no pixels */
    size_t patch_bytes;
    size_t words; /* packed, of four channels */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, packed, 0U) && MPLAN_AT(job_t, patches, 4U) &&
                    MPLAN_AT(job_t, out, 8U) && MPLAN_AT(job_t, triples, 20U) &&
                    MPLAN_AT(job_t, rest, 24U) && MPLAN_AT(job_t, fours, 28U) &&
                    MPLAN_AT(job_t, zero_point, 32U) && MPLAN_AT(job_t, shifts, 36U) &&
                    MPLAN_AT(job_t, act_min, 40U) && MPLAN_AT(job_t, act_max, 44U) &&
                    MPLAN_AT(job_t, in, 48U) && MPLAN_AT(job_t, taps, 60U));

/* Sixteen taps of two channels on three pixels: loads and multiplies in turn, so they overlap. */
#define STEP                                                                                       \
    "vldrb.8 q0, [r9], #16; vldrb.8 q2, [r11], #16; vmladava.s8 r0, q0, q2\n"                      \
    "vldrb.8 q1, [r9], #16; vmladava.s8 r2, q1, q2\n"                                              \
    "vldrb.8 q2, [r11], #16; vmladava.s8 r4, q0, q2; vmladava.s8 r6, q1, q2\n"                     \
    "vldrb.8 q2, [r11], #16; vmladava.s8 r8, q0, q2; vmladava.s8 r10, q1, q2\n"

/*
 * Three pixels by two output channels: six accumulators in even registers are what vmladava leaves
 * room for. The sums go to halves of q4, q5, q6, a vector for each pixel.
 */
#define PAIR(half0, half1, half2)                                                                  \
    "ldrd r0, r2, [r9]; ldrd r4, r6, [r9]; ldrd r8, r10, [r9], #8\n" /* biases */                  \
    "ldrd r11, lr, [sp]; wls lr, lr, 3f\n"                                                         \
    "2:\n" STEP STEP STEP "le lr, 2b\n"                                                            \
    "3: wls lr, r12, 5f\n"                                                                         \
    "4:\n" STEP "le lr, 4b\n"                                                                      \
    "5: vmov " half0 ", r0, r2; vmov " half1 ", r4, r6; vmov " half2 ", r8, r10\n"

/* Four channels of a pixel: the high word of sum * multiplier, rounded, onto the zero point. */
#define FINISH(sums, out)                                                                          \
    "vrmulh.s32 " sums ", " sums ", q0; vadd.i32 " sums ", " sums ", r0\n"                         \
    "vmax.s32 " sums ", " sums ", q3; vmin.s32 " sums ", " sums ", q7\n"                           \
    "vstrb.32 " sums ", [" out "], #4\n"

/* Where a pixel is missing it has the place of pixel 0, which is written last. */
static NAKED void tile(UNREAD const job_t *job)
{
    __asm volatile("push {r4-r11, lr}; vpush {d8-d15}; sub sp, #20\n"
                   "ldrd r9, r2, [r0]; ldrd r1, r3, [r0, #8]; ldrd r5, r4, [r0, #16]\n"
                   "ldrd r12, r7, [r0, #24]; strd r2, r4, [sp]; ldrd r2, r4, [r0, #32]\n"
                   "strd r2, r4, [sp, #8]; ldrd r2, r4, [r0, #40]; vdup.32 q3, r2; vdup.32 q7, r4\n"
                   "1:\n" PAIR("d8", "d10", "d12") PAIR("d9", "d11", "d13")
                   "ldrd r0, r2, [sp, #8]; cbz r2, 6f; vldrw.32 q0, [r9], #16\n"
                   "vshl.s32 q4, q4, q0; vshl.s32 q5, q5, q0; vshl.s32 q6, q6, q0\n"
                   "6: vldrw.32 q0, [r9], #16\n"
                   FINISH("q6", "r5") FINISH("q5", "r3") FINISH("q4", "r1")
                   "subs r7, #1; bne.w 1b\n"
                   "add sp, #20; vpop {d8-d15}; pop {r4-r11, pc}\n");
}

/* The patches of three pixels, vector by vector in turn. */
static NAKED void weave(UNREAD const job_t *job)
{
    __asm volatile("push {r4, lr}; ldrd r1, r2, [r0, #48]; ldrd r3, r4, [r0, #56]\n"
                   "ldr r0, [r0, #4]; dlstp.8 lr, r4\n"
                   "1: vldrb.8 q0, [r1], #16; vldrb.8 q1, [r2], #16; vldrb.8 q2, [r3], #16\n"
                   "vstrb.8 q0, [r0], #16; vstrb.8 q1, [r0], #16; vstrb.8 q2, [r0], #16\n"
                   "letp lr, 1b; pop {r4, pc}\n");
}

/* Up to three channels behind the last four, by a spare place. */
static void last_channels(const mplan_conv2d_s8_mve_t *p, const job_t *job)
{
    const size_t fours = (size_t)p->out_c / QUAD;
    const mve_pred16_t lanes = vctp8q((uint32_t)p->out_c % QUAD);
    int8_t spare[PIXELS * LANES];
    job_t last = *job;

    last.packed = &p->packed[fours * job->words];
    last.fours = 1U;
    for (size_t i = 0U; i < PIXELS; i++) {
        last.out[i] = &spare[i * LANES];
    }
    tile(&last);
    for (size_t i = 0U; i < job->count; i++) {
        vstrbq_p_s8(&job->out[i][fours * QUAD], vldrbq_s8(&spare[i * LANES]), lanes);
    }
}

/* All channels of the output pixels that wait. */
static void outputs(const mplan_conv2d_s8_mve_t *p, job_t *job)
{
    weave(job);
    if (job->fours > 0U) {
        tile(job);
    }
    if ((p->out_c % QUAD) > 0U) {
        last_channels(p, job);
    }
    job->count = 0U;
}

/* The patch of a pixel whose window does not lie inside, or not side by side. */
static void border_patch(const mplan_conv2d_s8_mve_t *p, const job_t *job,
                         const int8_t *const *lines, int8_t *patch, int32_t x_first)
{
    const int8x16_t padding = vdupq_n_s8(p->in_zero_point);
    const size_t in_c = p->in_c;
    const int32_t together = (p->dilation_w == 1U) ? (int32_t)p->kernel_w : 1; /* taps */
    int32_t x = x_first;

    for (size_t i = 0U; i < job->patch_bytes; i += LANES) {
        vstrbq_s8(&patch[i], padding);
    }
    for (int32_t kx = 0; kx < (int32_t)p->kernel_w; kx += together) {
        const int32_t begin = mplan_clamp(-x, 0, together);
        const int32_t end = mplan_clamp((int32_t)p->in_w - x, begin, together);

        mplan_copy_lines(lines, p->kernel_h, (x + begin) * (int32_t)in_c,
                   &patch[(size_t)(kx + begin) * in_c], (size_t)(end - begin) * in_c,
                   p->kernel_w * in_c);
        x += (int32_t)p->dilation_w;
    }
}

/* Output pixels of a row whose windows lie inside: from `first` to before `end`. */
typedef struct {
    size_t first;
    size_t end;
} span_t;

static span_t pixels_inside(const mplan_conv2d_s8_mve_t *p)
{
    const size_t first = ((size_t)p->pad_left + p->stride_w - 1U) / p->stride_w;
    const size_t width = (size_t)p->in_w + p->pad_left;
    span_t span = {first, first};

    if ((p->dilation_w == 1U) && (width >= p->kernel_w)) {
        span.end = ((width - p->kernel_w) / p->stride_w) + 1U;
        span.end = (span.end < p->out_w) ? span.end : p->out_w;
    }
    return span;
}

/* One output pixel more, whose patch is there. */
static inline void push(const mplan_conv2d_s8_mve_t *p, job_t *job, const int8_t *in, int8_t *out)
{
    job->in[job->count] = in;
    job->out[job->count] = out;
    job->count++;
    if (job->count == PIXELS) {
        outputs(p, job);
    }
}

/* One output row of a 1x1 kernel: patches are the pixels themselves. */
static void pixels_row(const mplan_conv2d_s8_mve_t *p, job_t *job, const int8_t *in, int8_t *out)
{
    const size_t advance = (size_t)p->stride_w * p->in_c;

    for (size_t x = p->out_w; x > 0U; x--) {
        push(p, job, in, out);
        in = &in[advance];
        out = &out[p->out_c];
    }
}

/* Patches and outputs of one output row; of pixels in `inside` the windows lie inside. */
static void output_row(const mplan_conv2d_s8_mve_t *p, job_t *job, const int8_t *const *lines,
                       span_t inside, int8_t *out)
{
    const size_t in_c = p->in_c;
    mplan_patches_t windows = {.lines = lines, .rows = p->kernel_h, .run = p->kernel_w * in_c};
    int8_t *to = out;
    size_t x = 0U;

    windows.advance = p->stride_w * in_c;
    windows.patch_bytes = job->patch_bytes;
    while (x < p->out_w) {
        const int32_t x_first = (int32_t)(x * p->stride_w) - (int32_t)p->pad_left;
        int8_t *patch = &job->lines[job->patch_bytes * job->count];
        size_t end = x + 1U;

        if ((x >= inside.first) && (x < inside.end)) {
            end = x + (PIXELS - job->count);
            end = (end < inside.end) ? end : inside.end;
            windows.at = (size_t)x_first * in_c;
            windows.to = patch;
            windows.count = end - x;
            mplan_copy_windows(&windows);
        } else {
            border_patch(p, job, lines, patch, x_first);
        }
        for (; x < end; x++) {
            push(p, job, patch, to);
            patch = &patch[job->patch_bytes];
            to = &to[p->out_c];
        }
    }
}

MPLAN_KERNEL
void mplan_conv2d_s8_mve(const mplan_conv2d_s8_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1, int8_t *scratch)
{
    const span_t inside = pixels_inside(p);
    const span_t none = {0U, 0U};
    const int single = ((p->kernel_h == 1U) && (p->kernel_w == 1U)) ? 1 : 0;
    job_t job = {.packed = p->packed, .patches = scratch};

    job.fours = (uint32_t)p->out_c / QUAD;
    job.words = (4U * p->steps * QUAD) + ((p->shifts != 0U) ? 12U : 8U);
    job.zero_point = p->out_zero_point;
    job.act_min = p->act_min;
    job.act_max = p->act_max;
    job.shifts = p->shifts;
    job.triples = p->steps / 3U;
    job.rest = p->steps % 3U;
    job.taps = (uint32_t)p->kernel_h * p->kernel_w * p->in_c;
    job.patch_bytes = LANES * p->steps;
    job.lines = &scratch[PIXELS * job.patch_bytes];
    for (size_t y = y0; y < y1; y++) {
        const int8_t *lines[KERNEL_ROWS];
        const int32_t top = (int32_t)(y * p->stride_h) - (int32_t)p->pad_top;
        const int whole = mplan_lines_under(&p->in_rows, in, p->in_h, top, p->dilation_h,
                                            p->kernel_h, lines);
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        if ((whole != 0) && (single != 0) && (inside.first == 0U) && (inside.end == p->out_w)) {
            pixels_row(p, &job, lines[0], to);
        } else {
            output_row(p, &job, lines, (whole != 0) ? inside : none, to);
        }
    }
    if (job.count > 0U) {
        for (size_t i = job.count; i < PIXELS; i++) {
            job.out[i] = job.out[0];
            job.in[i] = job.in[0];
        }
        outputs(p, &job);
    }
}
