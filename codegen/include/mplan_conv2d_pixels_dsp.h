/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_pixels_dsp.h - convolution for weights of either type. */
#ifndef MPLAN_CONV2D_PIXELS_DSP_H
#define MPLAN_CONV2D_PIXELS_DSP_H

#include <string.h>

#include "mplan_two_patches_dsp.h"

#define KERNEL_ROWS (16U)
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/*
 * Widen the run of `count` bytes from `first` on of each of the lines up to `end` into every second
 * word from `to` on: four bytes to two words in 6 cycles, 32 bytes a round, which is entered for
 * what is left; then the last one to three bytes.
 */
static NAKED void widen_lines(UNREAD const int8_t *const *lines, UNREAD uint32_t *to,
                              UNREAD size_t count, UNREAD const int8_t *const *end,
                              UNREAD int32_t first)
{
    __asm volatile("push {r4-r9, lr}\n"
                   "ldr r9, [sp, #28]; mov r8, r3; and r4, r2, #3; sub r2, r2, r4\n"
                   "rsb r3, r2, #0; and r3, r3, #28; add r3, r3, r3, lsl #2\n"
                   "adr r7, 2f; add r7, r7, r3; cbnz r2, 5f; adr r7, 3f\n"
                   "5: orr r7, r7, #1\n"
                   "1:\n"
                   "ldr r5, [r0], #4; add r5, r5, r9; add r6, r5, r2; bx r7\n"
                   ".balign 4\n2:\n"
                   ".rept 8\n"
                   "ldr.w r3, [r5], #4; sxtb16 r12, r3; sxtb16 r3, r3, ror #8\n"
                   "str.w r12, [r1], #8; str.w r3, [r1], #8\n"
                   ".endr\n"
                   "cmp r5, r6; bne.w 2b\n.balign 4\n"
                   "3: cbz r4, 4f; cmp r4, #2; ldrsb r3, [r5], #1\n"
                   "itt hs; ldrsbhs r12, [r5], #1; pkhbths r3, r3, r12, lsl #16\n"
                   "str r3, [r1], #8; bls 4f; ldrsb r3, [r5]; str r3, [r1], #8\n"
                   "4: cmp r0, r8; bne.w 1b\n"
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
static MPLAN_APART void border_patch(const mplan_conv2d_s8_dsp_t *p, const int8_t *const *lines,
                                     uint32_t *to, int8_t *spare, int32_t x_first)
{
    const uint32_t padding = ((uint32_t)p->in_zero_point & 0xFFFFU) * 0x10001U;
    const size_t count = (size_t)p->kernel_w * p->in_c;
    const int inside = ((p->dilation_w == 1U) && (x_first >= 0) &&
                        ((x_first + (int32_t)p->kernel_w) <= (int32_t)p->in_w))
                           ? 1
                           : 0;
    const int8_t *const line = spare;
    size_t end = 0U;

    for (size_t ky = 0U; ky < p->kernel_h; ky = end) {
        end = ky + 1U;
        if (lines[ky] == NULL) {
            for (size_t i = 0U; i < count; i += 2U) { /* behind an odd count the weight is 0 */
                to[i] = padding;
            }
        } else if (inside != 0) {
            while ((end < p->kernel_h) && (lines[end] != NULL)) {
                end++;
            }
            widen_lines(&lines[ky], to, count, &lines[end], x_first * (int32_t)p->in_c);
        } else {
            gather(p, lines[ky], spare, x_first);
            widen_lines(&line, to, count, &(&line)[1], 0);
        }
        to = &to[2U * ((count + 1U) / 2U) * (end - ky)];
    }
}

/* Output pixels of a 1x1 kernel that follow one another in memory, as their inputs do. */
typedef struct {
    size_t in;  /* bytes from the start of the input */
    size_t out; /* of the output */
    size_t count;
} pixels_t;

/* Pixels in pairs, behind one that waits for a second; of an odd number the last one waits. */
static MPLAN_APART void pair_up(const mplan_conv2d_s8_dsp_t *p, mplan_two_patches_t *job,
                                const int8_t *in, int8_t *out, pixels_t *waiting, pixels_t *run)
{
    const size_t apart = (size_t)p->stride_w * p->in_c;

    if ((waiting->count > 0U) && (run->count > 0U)) {
        job->in = &in[waiting->in];
        job->in_apart = (uint32_t)(run->in - waiting->in);
        mplan_two_patches(job, &out[waiting->out], &out[run->out]);
        waiting->count = 0U;
        run->in += apart;
        run->out += p->out_c;
        run->count--;
    }
    if (run->count > 1U) {
        job->in = &in[run->in];
        job->in_apart = (uint32_t)apart;
        job->out = &out[run->out];
        job->out_apart = p->out_c;
        job->pairs = (uint32_t)run->count / 2U;
        mplan_pixel_pairs(job);
    }
    if ((run->count % 2U) == 1U) {
        waiting->in = run->in + ((run->count - 1U) * apart);
        waiting->out = run->out + ((run->count - 1U) * p->out_c);
        waiting->count = 1U;
    }
}

/* Output rows of a 1x1 kernel. Rows that follow one another in memory are taken as one. */
static MPLAN_APART void pointwise_rows(const mplan_conv2d_s8_dsp_t *p, mplan_two_patches_t *job,
                                       const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    const size_t in_bytes = (size_t)p->out_w * p->stride_w * p->in_c;
    const size_t out_bytes = (size_t)p->out_w * p->out_c;
    pixels_t waiting = { 0U, 0U, 0U };
    pixels_t run = { 0U, 0U, 0U };
    size_t in_next = 0U; /* behind the run */
    size_t out_next = 0U;

    mplan_two_patches_widen(job, p->in_c);
    for (size_t y = y0; y < y1; y++) {
        const size_t from = mplan_row(&p->in_rows, y * p->stride_h);
        const size_t to = mplan_row(&p->out_rows, y);

        if ((from != in_next) || (to != out_next)) {
            pair_up(p, job, in, out, &waiting, &run);
            run.in = from;
            run.out = to;
            run.count = 0U;
        }
        run.count += p->out_w;
        in_next = from + in_bytes;
        out_next = to + out_bytes;
    }
    pair_up(p, job, in, out, &waiting, &run);
    if ((waiting.count > 0U) && ((p->in_c % 4U) == 0U)) { /* packed as for a patch of bytes */
        int8_t *const patch = (int8_t *)job->patches; /* the output may take the input's place */
        mplan_one_patch_t one;

        (void)memcpy(patch, &in[waiting.in], p->in_c);
        one.in = patch;
        one.in_end = &patch[p->in_c];
        one.zero_point = p->out_zero_point;
        one.pre_shift = p->pre_shift;
        mplan_one_patch(&one, p->packed, p->out_c, &out[waiting.out]);
    } else if (waiting.count > 0U) {
        job->in = &in[waiting.in];
        job->in_apart = 0U;
        mplan_two_patches(job, &out[waiting.out], &out[waiting.out]);
    } else {
        /* none is left */
    }
}

/* Output rows of any other kernel. */
static MPLAN_APART void window_rows(const mplan_conv2d_s8_dsp_t *p, mplan_two_patches_t *job,
                                    int8_t *spare, const int8_t *in, int8_t *out, size_t y0,
                                    size_t y1)
{
    const int32_t x_last = (int32_t)p->in_w - (int32_t)p->kernel_w;
    const size_t count = (size_t)p->kernel_w * p->in_c;
    const int8_t *lines[KERNEL_ROWS];
    int8_t *waiting = NULL;

    for (size_t y = y0; y < y1; y++) {
        const int whole =
            ((find_lines(p, in, lines, y) != 0) && (p->dilation_w == 1U)) ? 1 : 0;
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        int32_t x_first = -(int32_t)p->pad_left;

        for (size_t x = p->out_w; x > 0U; x--) {
            uint32_t *const lane = &job->patches[(waiting != NULL) ? 1U : 0U];

            if ((whole != 0) && (x_first >= 0) && (x_first <= x_last)) {
                widen_lines(lines, lane, count, &lines[p->kernel_h], x_first * (int32_t)p->in_c);
            } else {
                border_patch(p, lines, lane, spare, x_first);
            }
            x_first += (int32_t)p->stride_w;
            if (waiting == NULL) {
                waiting = to;
            } else {
                mplan_two_patches(job, waiting, to);
                waiting = NULL;
            }
            to = &to[p->out_c];
        }
    }
    if (waiting != NULL) {
        mplan_two_patches(job, waiting, waiting);
    }
}

/* Output rows [y0, y1). */
static inline void mplan_conv2d_pixels(const mplan_conv2d_s8_dsp_t *p, const int8_t *in,
                                       int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    mplan_two_patches_t job;

    mplan_two_patches_begin(&job, p, (uint32_t *)(void *)scratch);
    /* 1x1 inside the input: the patch is the pixel */
    if ((p->kernel_h == 1U) && (p->kernel_w == 1U) && ((p->pad_top | p->pad_left) == 0U) &&
        (((p->out_w - 1U) * p->stride_w) < p->in_w) && (((y1 - 1U) * p->stride_h) < p->in_h)) {
        pointwise_rows(p, &job, in, out, y0, y1);
    } else {
        window_rows(p, &job, &scratch[8U * p->steps], in, out, y0, y1);
    }
    for (size_t y = y0; ((p->act_min > -128) || (p->act_max < 127)) && (y < y1); y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < ((size_t)p->out_w * p->out_c); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}

#endif /* MPLAN_CONV2D_PIXELS_DSP_H */
