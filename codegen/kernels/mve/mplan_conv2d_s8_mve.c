/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_conv2d_s8_mve.h"

#define LANES (16U)
#define QUAD (4U)   /* channels that leave together */
#define PIXELS (3U) /* computed together */
#define KERNEL_ROWS (16U)
#define NAKED __attribute__((naked, noinline, used))
#define UNUSED __attribute__((unused))

/* Patches made, and the outputs that wait for them. The offsets stand in the assembly. */
typedef struct {
    const int32_t *packed;    /*  0: of the first channel */
    int8_t *patches;          /*  4: [steps][PIXELS][LANES] */
    int8_t *out[PIXELS];      /*  8: of the first channel */
    uint32_t steps;           /* 20 */
    uint32_t fours;           /* 24: channels / 4, at least 1 */
    int32_t zero_point;       /* 28 */
    int32_t act_min;          /* 32 */
    int32_t act_max;          /* 36 */
    uint32_t shifts;          /* 40: 0: none */
    uint32_t vectors;         /* 44: whole ones of a pixel */
    uint32_t rest;            /* 48: bytes behind them */
    const int8_t *in[PIXELS]; /* 52: pixels that are their own patches; NULL: patches are made */
    size_t count;             /* of pixels that wait */
    int8_t *line;             /* [steps][LANES], a patch on its way */
    const int8_t *lines[1];   /* the same */
    size_t words;             /* packed, of four channels */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, packed, 0U) && MPLAN_AT(job_t, patches, 4U) &&
                    MPLAN_AT(job_t, out, 8U) && MPLAN_AT(job_t, steps, 20U) &&
                    MPLAN_AT(job_t, fours, 24U) && MPLAN_AT(job_t, zero_point, 28U) &&
                    MPLAN_AT(job_t, act_min, 32U) && MPLAN_AT(job_t, act_max, 36U) &&
                    MPLAN_AT(job_t, shifts, 40U) && MPLAN_AT(job_t, vectors, 44U) &&
                    MPLAN_AT(job_t, rest, 48U) && MPLAN_AT(job_t, in, 52U));

/*
 * Three pixels by two output channels: 96 multiply-accumulates in 12 instructions, loads and
 * multiplies in turn so that they overlap. Six accumulators in even registers are what vmladava
 * leaves room for. The sums go to halves of q4, q5, q6, a vector for each pixel.
 */
#define PAIR(half0, half1, half2)                                                                  \
    "ldrd r0, r2, [r9]; ldrd r4, r6, [r9]; ldrd r8, r10, [r9], #8\n" /* biases */                  \
    "ldr r11, [sp]; dls lr, r12\n"                                                                 \
    "2:\n"                                                                                         \
    "vldrb.8 q0, [r9], #16; vldrb.8 q2, [r11], #16; vmladava.s8 r0, q0, q2\n"                      \
    "vldrb.8 q1, [r9], #16; vmladava.s8 r2, q1, q2\n"                                              \
    "vldrb.8 q2, [r11], #16; vmladava.s8 r4, q0, q2; vmladava.s8 r6, q1, q2\n"                     \
    "vldrb.8 q2, [r11], #16; vmladava.s8 r8, q0, q2; vmladava.s8 r10, q1, q2\n"                    \
    "le lr, 2b\n"                                                                                  \
    "vmov " half0 ", r0, r2; vmov " half1 ", r4, r6; vmov " half2 ", r8, r10\n"

/* Four channels of a pixel: the high word of sum * multiplier, rounded, onto the zero point. */
#define FINISH(sums, out)                                                                          \
    "vrmulh.s32 " sums ", " sums ", q0; vadd.i32 " sums ", " sums ", r0\n"                         \
    "vmax.s32 " sums ", " sums ", q3; vmin.s32 " sums ", " sums ", q7\n"                           \
    "vstrb.32 " sums ", [" out "], #4\n"

/* Where a pixel is missing it has the place of pixel 0, which is written last. */
static NAKED void tile(UNUSED const job_t *job)
{
    __asm volatile("push {r4-r11, lr}; vpush {d8-d15}; sub sp, #12\n"
                   "ldrd r9, r11, [r0]; ldrd r1, r3, [r0, #8]; ldrd r5, r12, [r0, #16]\n"
                   "ldrd r7, r2, [r0, #24]; strd r11, r2, [sp]; ldrd r4, r6, [r0, #32]\n"
                   "ldr r8, [r0, #40]; str r8, [sp, #8]; vdup.32 q3, r4; vdup.32 q7, r6\n"
                   "1:\n" PAIR("d8", "d10", "d12") PAIR("d9", "d11", "d13")
                   "ldrd r0, r2, [sp, #4]; cbz r2, 3f; vldrw.32 q0, [r9], #16\n"
                   "vshl.s32 q4, q4, q0; vshl.s32 q5, q5, q0; vshl.s32 q6, q6, q0\n"
                   "3: vldrw.32 q0, [r9], #16\n"
                   FINISH("q6", "r5") FINISH("q5", "r3") FINISH("q4", "r1")
                   "subs r7, #1; bne.w 1b\n"
                   "add sp, #12; vpop {d8-d15}; pop {r4-r11, pc}\n");
}

/* The patches of three pixels of a 1x1 kernel. */
static NAKED void weave(UNUSED const job_t *job)
{
    __asm volatile("push {r4, lr}\n"
                   "ldrd lr, r4, [r0, #44]; ldrd r1, r2, [r0, #52]; ldr r3, [r0, #60]\n"
                   "ldr r0, [r0, #4]; wls lr, lr, 2f\n"
                   "1:\n"
                   "vldrb.8 q0, [r1], #16; vstrb.8 q0, [r0], #16\n"
                   "vldrb.8 q1, [r2], #16; vstrb.8 q1, [r0], #16\n"
                   "vldrb.8 q2, [r3], #16; vstrb.8 q2, [r0], #16\n"
                   "le lr, 1b\n"
                   "2: cbz r4, 3f\n"
                   "vctp.8 r4; vpsttt; vldrbt.8 q0, [r1]; vldrbt.8 q1, [r2]; vldrbt.8 q2, [r3]\n"
                   "vstrb.8 q0, [r0]; vstrb.8 q1, [r0, #16]; vstrb.8 q2, [r0, #32]\n"
                   "3: pop {r4, pc}\n");
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
    for (size_t i = job->count; i < PIXELS; i++) {
        job->out[i] = job->out[0];
        job->in[i] = job->in[0];
    }
    if (job->in[0] != NULL) {
        weave(job);
    }
    if (job->fours > 0U) {
        tile(job);
    }
    if ((p->out_c % QUAD) > 0U) {
        last_channels(p, job);
    }
    job->count = 0U;
}

/* One output pixel more; `in` is NULL where its patch is made. */
static inline void push(const mplan_conv2d_s8_mve_t *p, job_t *job, const int8_t *in, int8_t *out)
{
    job->in[job->count] = in;
    job->out[job->count] = out;
    job->count++;
    if (job->count == PIXELS) {
        outputs(p, job);
    }
}

/* The input rows of an output row, NULL where they lie outside. Returns whether all lie inside. */
static int find_lines(const mplan_conv2d_s8_mve_t *p, const int8_t *in, const int8_t **lines,
                      size_t y)
{
    int32_t from = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
    int whole = 1;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const int8_t *line = NULL;

        if ((from >= 0) && (from < (int32_t)p->in_h)) {
            line = &in[mplan_row(&p->in_rows, (size_t)from)];
        } else {
            whole = 0;
        }
        lines[ky] = line;
        from += (int32_t)p->dilation_h;
    }
    return whole;
}

/* Whole vectors from `at` on of every line to their places in a patch. */
static NAKED void scatter(UNUSED const int8_t *const *lines, UNUSED size_t rows, UNUSED int32_t at,
                          UNUSED int8_t *patch, UNUSED size_t vectors)
{
    __asm volatile("push {r4, r5, r6, lr}; ldr r4, [sp, #16]\n"
                   "1: ldr r5, [r0], #4; dls lr, r4; add r5, r5, r2\n"
                   "2: vldrb.8 q0, [r5], #16; vstrb.8 q0, [r3], #48; le lr, 2b\n"
                   "subs r1, #1; bne 1b; pop {r4, r5, r6, pc}\n");
}

/* `run` bytes from `at` on of every line that lies inside; in a patch they are `apart`. */
static NAKED void copy_lines(UNUSED const int8_t *const *lines, UNUSED size_t rows,
                             UNUSED int32_t at, UNUSED int8_t *to, UNUSED size_t run,
                             UNUSED size_t apart)
{
    __asm volatile("push {r4-r8, lr}; ldrd r4, r8, [sp, #24]\n"
                   "lsrs r6, r4, #4; and r4, r4, #15; vctp.8 r4\n"
                   "1: ldr r5, [r0], #4; cbz r5, 4f; add r5, r5, r2; mov r7, r3; wls lr, r6, 3f\n"
                   "2: vldrb.8 q0, [r5], #16; vstrb.8 q0, [r7], #16; le lr, 2b\n"
                   "3: vpstt; vldrbt.8 q0, [r5]; vstrbt.8 q0, [r7]\n"
                   "4: add r3, r3, r8; subs r1, #1; bne 1b; pop {r4-r8, pc}\n");
}

/* A patch in order, where it is more than whole vectors inside the input. */
static void fill_line(const mplan_conv2d_s8_mve_t *p, const int8_t *const *lines, int8_t *line,
                      int32_t x_first)
{
    const int8x16_t padding = vdupq_n_s8(p->in_zero_point);
    const size_t in_c = p->in_c;
    const int32_t together = (p->dilation_w == 1U) ? (int32_t)p->kernel_w : 1; /* taps */
    int32_t x = x_first;

    for (size_t i = 0U; i < (p->steps * LANES); i += LANES) {
        vstrbq_s8(&line[i], padding);
    }
    for (int32_t kx = 0; kx < (int32_t)p->kernel_w; kx += together) {
        const int32_t begin = mplan_clamp(-x, 0, together);
        const int32_t end = mplan_clamp((int32_t)p->in_w - x, begin, together);

        copy_lines(lines, p->kernel_h, (x + begin) * (int32_t)in_c,
                   &line[(size_t)(kx + begin) * in_c], (size_t)(end - begin) * in_c,
                   p->kernel_w * in_c);
        x += (int32_t)p->dilation_w;
    }
}

/* The patch of one output pixel. Its lines lie inside, and its first tap at x_first. */
static void inner_patch(const mplan_conv2d_s8_mve_t *p, const job_t *job,
                        const int8_t *const *lines, int8_t *to, int32_t x_first)
{
    const size_t count = (size_t)p->kernel_w * p->in_c;
    const int32_t at = x_first * (int32_t)p->in_c;

    if ((count % LANES) == 0U) {
        scatter(lines, p->kernel_h, at, to, count / LANES);
    } else {
        copy_lines(lines, p->kernel_h, at, job->line, count, count);
        scatter(job->lines, 1U, 0, to, p->steps);
    }
}

/* Patches and outputs of one output row. `whole`: its lines lie inside, taps side by side. */
static void output_row(const mplan_conv2d_s8_mve_t *p, job_t *job, const int8_t *const *lines,
                       int whole, int8_t *out)
{
    const int32_t x_last = (int32_t)p->in_w - (int32_t)p->kernel_w;
    int32_t x_first = -(int32_t)p->pad_left;
    int8_t *to = out;

    for (size_t x = p->out_w; x > 0U; x--) {
        int8_t *const patch = &job->patches[LANES * job->count];

        if (whole && (x_first >= 0) && (x_first <= x_last)) {
            inner_patch(p, job, lines, patch, x_first);
        } else {
            fill_line(p, lines, job->line, x_first);
            scatter(job->lines, 1U, 0, patch, p->steps);
        }
        push(p, job, NULL, to);
        x_first += (int32_t)p->stride_w;
        to = &to[p->out_c];
    }
}

/* Output rows of a kernel whose patches are pixels of the input. */
static void pointwise_rows(const mplan_conv2d_s8_mve_t *p, job_t *job, const int8_t *in,
                           int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y * p->stride_h)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = p->out_w; x > 0U; x--) {
            push(p, job, from, to);
            from = &from[(size_t)p->stride_w * p->in_c];
            to = &to[p->out_c];
        }
    }
}

MPLAN_KERNEL
void mplan_conv2d_s8_mve(const mplan_conv2d_s8_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1, int8_t *scratch)
{
    job_t job = {.packed = p->packed, .patches = scratch, .steps = p->steps};

    job.fours = (uint32_t)p->out_c / QUAD;
    job.words = (4U * p->steps * QUAD) + ((p->shifts != 0U) ? 12U : 8U);
    job.zero_point = p->out_zero_point;
    job.act_min = p->act_min;
    job.act_max = p->act_max;
    job.shifts = p->shifts;
    job.vectors = (uint32_t)p->in_c / LANES;
    job.rest = (uint32_t)p->in_c % LANES;
    job.line = &scratch[PIXELS * LANES * p->steps];
    job.lines[0] = job.line;
    if ((p->kernel_h == 1U) && (p->kernel_w == 1U) && ((p->pad_top | p->pad_left) == 0U) &&
        (((p->out_w - 1U) * p->stride_w) < p->in_w) && (((y1 - 1U) * p->stride_h) < p->in_h)) {
        pointwise_rows(p, &job, in, out, y0, y1);
    } else {
        for (size_t y = y0; y < y1; y++) {
            const int8_t *lines[KERNEL_ROWS];
            const int whole = find_lines(p, in, lines, y) && (p->dilation_w == 1U);

            output_row(p, &job, lines, whole, &out[mplan_row(&p->out_rows, y)]);
        }
    }
    if (job.count > 0U) {
        outputs(p, &job);
    }
}
