/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_conv2d_halves_mve.h - convolution of int16 by vectors (Helium), for weights of either type.
 *
 * A kernel includes it behind arm_mve.h and conv_t, its parameters, which mplan_conv2d_s16_mve.h
 * tells, WEIGHT, the type of its weights, and WEIGHTS(q), which loads eight of them from r1 on.
 */
#ifndef MPLAN_CONV2D_HALVES_MVE_H
#define MPLAN_CONV2D_HALVES_MVE_H

#include "mplan_columns_s16_mve.h"
#include "mplan_windows.h"

#define LANES (8U)
#define VECTOR_BYTES (16U)
#define QUAD (4U)   /* channels that leave together */
#define PIXELS (2U) /* computed together */
#define KERNEL_ROWS (16U)
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* Pairs of pixels, the first of them and from one to the next. Offsets stand in the assembly. */
typedef struct {
    const int32_t *packed;    /*  0: of the first channel */
    const int8_t *in[PIXELS]; /*  4: their patches */
    int16_t *out[PIXELS];     /* 12: of the first channel */
    uint32_t steps;           /* 20: vectors of a patch */
    uint32_t fours;           /* 24: channels / 4, at least 1 */
    uint32_t zero_point;      /* 28 */
    uint32_t shifts;          /* 32: 0: none */
    uint32_t in_apart;        /* 36: bytes from pair to pair */
    uint32_t out_apart;       /* 40: behind the last four channels of a pair */
    uint32_t pairs;           /* 44: at least 1 */
    int32_t act_min;          /* 48 */
    int32_t act_max;          /* 52 */
    int waits;                /* pixel 0 has its place, and no other beside it */
    size_t words;             /* packed, of four channels */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, packed, 0U) && MPLAN_AT(job_t, in, 4U) &&
                        MPLAN_AT(job_t, out, 12U) && MPLAN_AT(job_t, steps, 20U) &&
                        MPLAN_AT(job_t, fours, 24U) && MPLAN_AT(job_t, zero_point, 28U) &&
                        MPLAN_AT(job_t, shifts, 32U) && MPLAN_AT(job_t, in_apart, 36U) &&
                        MPLAN_AT(job_t, out_apart, 40U) && MPLAN_AT(job_t, pairs, 44U) &&
                        MPLAN_AT(job_t, act_min, 48U) && MPLAN_AT(job_t, act_max, 52U));

/*
 * Two pixels by two output channels, eight taps a round, from their biases on. Loads and products
 * take turns, so that they overlap; the last product of a round stands in the next one, the first
 * of all is 0.
 */
#define PAIR(half0, half1)                                                                         \
    "ldrd r0, r2, [r1], #8; vmov.i32 q1, #0; mov r4, r0; mov r6, r2\n"                             \
    "2: vldrh.16 q0, [r9], #16; vmladava.s16 r6, q1, q3\n"                                         \
    WEIGHTS("q2") "vmladava.s16 r0, q0, q2\n"                                                      \
    "vldrh.16 q1, [r11], #16; vmladava.s16 r4, q1, q2\n"                                           \
    WEIGHTS("q3") "vmladava.s16 r2, q0, q3\n"                                                      \
    "le lr, 2b\n"                                                                                  \
    "vmladava.s16 r6, q1, q3; vmov " half0 ", r0, r2; vmov " half1 ", r4, r6\n"

/* The next round of a pair begins among the last instructions of the one before, beside vectors. */
static NAKED void tile(UNREAD const job_t *job)
{
    __asm volatile("push {r4-r11, lr}; vpush {d8-d15}\n"
                   "ldrd r2, r4, [r0, #48]; vdup.32 q6, r2; vdup.32 q7, r4\n"
                   "ldr r3, [r0, #4]; ldrd r8, r7, [r0, #8]; ldrd r5, r12, [r0, #16]\n"
                   "ldr r6, [r0, #44]\n"
                   "8: ldr r1, [r0]; ldr r10, [r0, #24]; mov r9, r3; mov r11, r8; dls lr, r12\n"
                   "push {r0, r6}\n"
                   "1:\n" PAIR("d8", "d10") "mov r9, r3; mov r11, r8; dls lr, r12\n"
                   PAIR("d9", "d11")
                   "ldr r4, [sp]; ldrd r0, r2, [r4, #28]; cbnz r2, 7f\n"
                   "6: vldrw.32 q0, [r1], #16; vrmulh.s32 q4, q4, q0; mov r9, r3\n"
                   "vrmulh.s32 q5, q5, q0; vadd.i32 q4, q4, r0; mov r11, r8\n"
                   "vadd.i32 q5, q5, r0; dls lr, r12; vmax.s32 q4, q4, q6; subs r10, r10, #1\n"
                   "vmax.s32 q5, q5, q6; vmin.s32 q4, q4, q7; vstrh.32 q4, [r7], #8\n"
                   "vmin.s32 q5, q5, q7; vstrh.32 q5, [r5], #8; bne.w 1b\n"
                   "pop {r0, r6}; ldrd r2, r4, [r0, #36]; add r3, r3, r2; add r8, r8, r2\n"
                   "add r7, r7, r4; add r5, r5, r4; subs r6, r6, #1; bne.w 8b\n"
                   "vpop {d8-d15}; pop {r4-r11, pc}\n"
                   "7: vldrw.32 q0, [r1], #16; vshl.s32 q4, q4, q0; vshl.s32 q5, q5, q0; b 6b\n");
}

/* Up to three channels behind the last four, of each pair by a spare place. */
static void last_channels(const conv_t *p, const job_t *job)
{
    const size_t fours = (size_t)p->out_c / QUAD;
    const mve_pred16_t lanes = vctp16q((uint32_t)p->out_c % QUAD);
    int16_t spare[PIXELS * LANES];
    job_t last = *job;

    last.packed = &p->packed[fours * job->words];
    last.fours = 1U;
    last.pairs = 1U;
    for (size_t i = 0U; i < PIXELS; i++) {
        last.out[i] = &spare[i * LANES];
    }
    for (size_t pair = 0U; pair < job->pairs; pair++) {
        const size_t at = pair * PIXELS * p->out_c;

        tile(&last);
        for (size_t i = 0U; i < PIXELS; i++) {
            int16_t *const to = &job->out[i][at + (fours * QUAD)];

            vstrhq_p_s16(to, vldrhq_z_s16(&spare[i * LANES], lanes), lanes);
            last.in[i] = &last.in[i][job->in_apart];
        }
    }
}

/* All channels of so many pairs of output pixels. */
static void outputs(const conv_t *p, job_t *job, size_t pairs)
{
    job->pairs = (uint32_t)pairs;
    if (job->fours > 0U) {
        tile(job);
    }
    if ((p->out_c % QUAD) > 0U) {
        last_channels(p, job);
    }
    job->waits = 0;
}

/* The pixel that waits, alone: twice at one place. */
static void last_pixel(const conv_t *p, job_t *job)
{
    if (job->waits != 0) {
        job->in[1] = job->in[0];
        job->out[1] = job->out[0];
        outputs(p, job, 1U);
    }
}

/* So many output pixels more, side by side, their patches so many bytes apart; one may wait. */
static void push(const conv_t *p, job_t *job, const int8_t *in, size_t apart, int16_t *out,
                 size_t count)
{
    size_t i = 0U;

    job->in_apart = (uint32_t)(PIXELS * apart);
    if ((job->waits != 0) && (count > 0U)) {
        job->in[1] = in;
        job->out[1] = out;
        outputs(p, job, 1U);
        i = 1U;
    }
    if (i < count) {
        const size_t pairs = (count - i) / PIXELS;

        job->in[0] = &in[i * apart];
        job->out[0] = &out[i * p->out_c];
        if (pairs > 0U) {
            job->in[1] = &in[(i + 1U) * apart];
            job->out[1] = &out[(i + 1U) * p->out_c];
            outputs(p, job, pairs);
        }
        i += pairs * PIXELS;
    }
    if (i < count) {
        job->in[0] = &in[i * apart];
        job->out[0] = &out[i * p->out_c];
        job->waits = 1;
    }
}

/* A pixel that waits for one of another row takes its patch along: rows may be overwritten. */
static void keep(job_t *job, int8_t *place)
{
    if (job->waits != 0) {
        mplan_move_runs(job->in[0], place, job->steps, LANES, VECTOR_BYTES, VECTOR_BYTES);
        job->in[0] = place;
    }
}

static void begin(const conv_t *p, job_t *job)
{
    job->packed = p->packed;
    job->steps = p->steps;
    job->fours = (uint32_t)p->out_c / QUAD;
    job->words = (QUAD * ((p->steps * sizeof(WEIGHT) * LANES) / sizeof(int32_t))) +
                 ((p->shifts != 0U) ? (3U * QUAD) : (2U * QUAD));
    job->zero_point = (uint32_t)(int32_t)p->out_zero_point;
    job->shifts = p->shifts;
    job->act_min = p->act_min;
    job->act_max = p->act_max;
    job->out_apart = (uint32_t)(sizeof(int16_t) * ((PIXELS * p->out_c) - (QUAD * job->fours)));
    job->waits = 0;
}

/* All rows of a kernel whose patches are pixels, read where they are. */
static void pixel_rows(const conv_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1,
                       int8_t *kept)
{
    const size_t apart = (size_t)p->stride_w * p->in_c * sizeof(int16_t);
    job_t job;

    begin(p, &job);
    for (size_t y = y0; y < y1; y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        push(p, &job, &in[mplan_row(&p->in_rows, y * p->stride_h)], apart,
             (int16_t *)(void *)row, p->out_w);
        keep(&job, kept);
    }
    last_pixel(p, &job);
}

/* Output rows by strips: columns of the input side by side, in which patches overlap. */
static void strip_rows(const conv_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1,
                       int8_t *kept)
{
    const size_t column = (size_t)p->kernel_h * p->in_c * sizeof(int16_t);
    int8_t *const padding = &kept[p->steps * VECTOR_BYTES];
    int8_t *const columns = &padding[((p->in_c + LANES - 1U) / LANES) * VECTOR_BYTES];
    const int8_t *lines[KERNEL_ROWS];
    const mplan_columns_s16_t source = {lines,   padding, p->kernel_h,
                                        p->in_c, p->in_w, p->in_zero_point};
    job_t job;

    begin(p, &job);
    mplan_fill_run(padding, p->in_c, p->in_zero_point);
    for (size_t y = y0; y < y1; y++) {
        int16_t *const row = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        (void)mplan_lines_under(&p->in_rows, in, p->in_h,
                                (int32_t)(y * p->stride_h) - (int32_t)p->pad_top, p->dilation_h,
                                p->kernel_h, lines);
        for (size_t x = 0U; x < p->out_w; x += p->strip) {
            const size_t left = (size_t)p->out_w - x;
            const size_t count = (left < p->strip) ? left : p->strip;
            const size_t width = ((count - 1U) * p->stride_w) + p->kernel_w;

            keep(&job, kept);
            mplan_take_columns(&source, (int32_t)(x * p->stride_w) - (int32_t)p->pad_left, width,
                               columns, ((y == y0) || (p->strip < p->out_w)) ? 1 : 0);
            push(p, &job, columns, column * p->stride_w, &row[x * p->out_c], count);
        }
    }
    last_pixel(p, &job);
}

#endif /* MPLAN_CONV2D_HALVES_MVE_H */
