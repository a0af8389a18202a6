/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_conv2d_s8_mve.h"

#define LANES (16U)
#define QUAD (4U)         /* lanes of int32 */
#define PIXELS (3U)       /* computed at once */
#define CHANNELS (16U)    /* whose sums are held at once */
#define APART (48)        /* bytes from vector to vector of a patch: PIXELS * LANES */
#define KERNEL_ROWS (16U)
#define NAKED __attribute__((naked, noinline, used))
#define UNUSED __attribute__((unused))

/* Patches made and outputs that wait for them. */
typedef struct {
    int8_t *patches; /* [steps][PIXELS][LANES] */
    int8_t *line;    /* [steps][LANES], a patch on its way */
    int8_t *to[PIXELS];
    size_t count;
} job_t;

/*
 * Sums of three pixels by two output channels at a time: 96 multiply-accumulates in 12
 * instructions, loads and multiplies in turn so that they overlap. Six accumulators in even
 * registers are what vmladava allows. Pixel i has its sums at sums[16 * i]. Returns the end of the
 * packed channels.
 */
static NAKED const int32_t *dot_products(UNUSED uint32_t steps, UNUSED const int32_t *packed,
                                         UNUSED uint32_t pairs, UNUSED const int8_t *patches,
                                         UNUSED int32_t *sums)
{
    __asm volatile("push {r4-r10, lr}\n"
                   "ldr r5, [sp, #32]; mov r7, r0; mov r9, r2; mov r12, #48; mul r12, r12, r0\n"
                   "1:\n" /* two channels, from their biases on */
                   "ldrd r0, r2, [r1], #8\n"
                   "mov r4, r0; mov r6, r2; mov r8, r0; mov r10, r2; dls lr, r7\n"
                   "2:\n"
                   "vldrb.8 q0, [r1], #16; vldrb.8 q1, [r3], #16; vmladava.s8 r0, q0, q1\n"
                   "vldrb.8 q2, [r1], #16; vmladava.s8 r2, q2, q1\n"
                   "vldrb.8 q3, [r3], #16; vmladava.s8 r4, q0, q3; vmladava.s8 r6, q2, q3\n"
                   "vldrb.8 q1, [r3], #16; vmladava.s8 r8, q0, q1; vmladava.s8 r10, q2, q1\n"
                   "le lr, 2b\n"
                   "strd r4, r6, [r5, #64]; strd r8, r10, [r5, #128]; strd r0, r2, [r5], #8\n"
                   "sub r3, r3, r12; subs r9, r9, #1; bne 1b\n"
                   "mov r0, r1; pop {r4-r10, pc}\n");
}

/* Shift the sums of `channels` channels from c on of every pixel. */
static void shift_sums(const uint8_t *shifts, int32_t *sums, size_t channels)
{
    for (size_t i = 0U; i < channels; i += QUAD) {
        const int32x4_t shift = vreinterpretq_s32_u32(vldrbq_u32(&shifts[i]));

        for (size_t k = i; k < (PIXELS * CHANNELS); k += CHANNELS) {
            vstrwq_s32(&sums[k], vshlq_s32(vldrwq_s32(&sums[k]), shift));
        }
    }
}

/* What four sums become an output with. */
typedef struct {
    int32x4_t low;
    int32x4_t high;
    int32_t zero_point;
} range_t;

static inline int32x4_t results(const int32_t *sums, int32x4_t multiplier, range_t range)
{
    const int32x4_t scaled = vrmulhq_s32(vldrwq_s32(sums), multiplier);
    const int32x4_t moved = vaddq_n_s32(scaled, range.zero_point);

    return vminq_s32(vmaxq_s32(moved, range.low), range.high);
}

/* Requantize and store `channels` channels from c on of every pixel. */
static void finish(const mplan_conv2d_s8_mve_t *p, const job_t *job, const int32_t *sums, size_t c,
                   size_t channels)
{
    const range_t range = {vdupq_n_s32(p->act_min), vdupq_n_s32(p->act_max), p->out_zero_point};
    const int32_t *multipliers = &p->multiplier[c];
    int8_t *to0 = &job->to[0][c];
    int8_t *to1 = &job->to[1][c];
    int8_t *to2 = &job->to[2][c];
    int32x4_t multiplier;

    /* A pixel that is missing has the place of pixel 0, which is written last. */
    for (size_t i = channels / QUAD; i > 0U; i--) {
        multiplier = vldrwq_s32(multipliers);
        vstrbq_s32(to2, results(&sums[2U * CHANNELS], multiplier, range));
        vstrbq_s32(to1, results(&sums[CHANNELS], multiplier, range));
        vstrbq_s32(to0, results(sums, multiplier, range));
        multipliers = &multipliers[QUAD];
        sums = &sums[QUAD];
        to0 = &to0[QUAD];
        to1 = &to1[QUAD];
        to2 = &to2[QUAD];
    }
    if ((channels % QUAD) > 0U) {
        const mve_pred16_t lanes = vctp32q((uint32_t)(channels % QUAD));

        multiplier = vldrwq_s32(multipliers);
        vstrbq_p_s32(to2, results(&sums[2U * CHANNELS], multiplier, range), lanes);
        vstrbq_p_s32(to1, results(&sums[CHANNELS], multiplier, range), lanes);
        vstrbq_p_s32(to0, results(sums, multiplier, range), lanes);
    }
}

/* All channels of the output pixels that wait; their patches are made. */
static void outputs(const mplan_conv2d_s8_mve_t *p, job_t *job)
{
    const int32_t *packed = p->packed;
    int32_t sums[PIXELS * CHANNELS];

    for (size_t i = job->count; i < PIXELS; i++) {
        job->to[i] = job->to[0];
    }
    for (size_t c = 0U; c < p->out_c; c += CHANNELS) {
        const size_t left = (size_t)p->out_c - c;
        const size_t channels = (left < CHANNELS) ? left : CHANNELS;

        packed = dot_products(p->steps, packed, (uint32_t)(channels + 1U) / 2U, job->patches, sums);
        if (p->pre_shift != NULL) {
            shift_sums(&p->pre_shift[c], sums, channels);
        }
        finish(p, job, sums, c, channels);
    }
    job->count = 0U;
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

/* Vectors of a run to their places in a patch; a last part of one is read as far as it goes. */
static int8_t *scatter(const int8_t *from, int8_t *to, size_t count)
{
    const size_t rest = count % LANES;

    for (size_t i = count / LANES; i > 0U; i--) {
        vstrbq_s8(to, vldrbq_s8(from));
        from = &from[LANES];
        to = &to[APART];
    }
    if (rest > 0U) {
        vstrbq_s8(to, vldrbq_z_s8(from, vctp8q((uint32_t)rest)));
        to = &to[APART];
    }
    return to;
}

static void copy(const int8_t *from, int8_t *to, size_t count)
{
    const size_t rest = count % LANES;

    for (size_t i = count / LANES; i > 0U; i--) {
        vstrbq_s8(to, vldrbq_s8(from));
        from = &from[LANES];
        to = &to[LANES];
    }
    if (rest > 0U) {
        const mve_pred16_t lanes = vctp8q((uint32_t)rest);

        vstrbq_p_s8(to, vldrbq_z_s8(from, lanes), lanes);
    }
}

static void fill(int8_t value, int8_t *to, size_t count)
{
    const int8x16_t values = vdupq_n_s8(value);

    for (size_t i = count / LANES; i > 0U; i--) {
        vstrbq_s8(to, values);
        to = &to[LANES];
    }
    vstrbq_p_s8(to, values, vctp8q((uint32_t)(count % LANES)));
}

/* Bytes of one kernel row that is not a run inside the input: taps outside are the zero point. */
static void gather(const mplan_conv2d_s8_mve_t *p, const int8_t *row, int8_t *to, int32_t x_first)
{
    const size_t in_c = p->in_c;
    int32_t x = x_first;

    for (size_t kx = 0U; kx < p->kernel_w; kx++) {
        if ((row != NULL) && (x >= 0) && (x < (int32_t)p->in_w)) {
            copy(&row[(size_t)x * in_c], to, in_c);
        } else {
            fill(p->in_zero_point, to, in_c);
        }
        x += (int32_t)p->dilation_w;
        to = &to[in_c];
    }
}

/* The patch of one output pixel, where it is more than whole vectors inside the input. */
static void odd_patch(const mplan_conv2d_s8_mve_t *p, const job_t *job, const int8_t *const *lines,
                      int8_t *to, int32_t x_first)
{
    const size_t count = (size_t)p->kernel_w * p->in_c;
    const int inside = (p->dilation_w == 1U) && (x_first >= 0) &&
                       ((x_first + (int32_t)p->kernel_w) <= (int32_t)p->in_w);
    int8_t *line = job->line;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        if (inside && (lines[ky] != NULL)) {
            copy(&lines[ky][x_first * (int32_t)p->in_c], line, count);
        } else {
            gather(p, lines[ky], line, x_first);
        }
        line = &line[count];
    }
    (void)scatter(job->line, to, p->steps * LANES);
}

/* Patches and outputs of one output row. */
static void output_row(const mplan_conv2d_s8_mve_t *p, job_t *job, const int8_t *const *lines,
                       int simple, int8_t *out)
{
    const int32_t x_last = (int32_t)p->in_w - (int32_t)p->kernel_w;
    const size_t count = (size_t)p->kernel_w * p->in_c;
    int32_t x_first = -(int32_t)p->pad_left;
    int8_t *to = out;

    for (size_t x = p->out_w; x > 0U; x--) {
        int8_t *lane = &job->patches[LANES * job->count];

        if (simple && (x_first >= 0) && (x_first <= x_last)) {
            for (size_t ky = 0U; ky < p->kernel_h; ky++) {
                lane = scatter(&lines[ky][x_first * (int32_t)p->in_c], lane, count);
            }
        } else {
            odd_patch(p, job, lines, lane, x_first);
        }
        job->to[job->count] = to;
        job->count++;
        if (job->count == PIXELS) {
            outputs(p, job);
        }
        x_first += (int32_t)p->stride_w;
        to = &to[p->out_c];
    }
}

void mplan_conv2d_s8_mve(const mplan_conv2d_s8_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1, int8_t *scratch)
{
    const size_t odd = ((size_t)p->kernel_w * p->in_c) % LANES;
    const int straight = (p->dilation_w == 1U) && ((odd == 0U) || (p->kernel_h == 1U));
    job_t job;

    job.patches = scratch;
    job.line = &scratch[PIXELS * LANES * p->steps];
    job.count = 0U;
    for (size_t y = y0; y < y1; y++) {
        const int8_t *lines[KERNEL_ROWS];
        const int whole = find_lines(p, in, lines, y);

        output_row(p, &job, lines, straight && whole, &out[mplan_row(&p->out_rows, y)]);
    }
    if (job.count > 0U) {
        outputs(p, &job);
    }
}
