/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_patches_dsp.h - convolution for weights of either type. */
#ifndef MPLAN_CONV2D_PATCHES_DSP_H
#define MPLAN_CONV2D_PATCHES_DSP_H

#include <string.h>

#include "mplan_conv2d_patch_s8_dsp.h"

/* mplan_one_patch() for weights of some type is there already. */

#define KERNEL_ROWS (16U)

/* The input rows of an output row, NULL where they lie outside. */
static void find_lines(const mplan_conv2d_patch_s8_dsp_t *p, const int8_t *in,
                       const int8_t **lines, size_t y)
{
    int32_t from = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        lines[ky] = NULL;
        if ((from >= 0) && (from < (int32_t)p->in_h)) {
            lines[ky] = &in[mplan_row(&p->in_rows, (size_t)from)];
        }
        from++;
    }
}

/* The patch of an output pixel; taps outside the input are the zero point. */
static void gather(const mplan_conv2d_patch_s8_dsp_t *p, const int8_t *const *lines, int8_t *to,
                   int32_t x_first)
{
    const int32_t taps = (int32_t)p->kernel_w;
    const int32_t first = mplan_clamp(-x_first, 0, taps);
    const int32_t end = mplan_clamp((int32_t)p->in_w - x_first, first, taps);
    const size_t run = (size_t)p->kernel_w * p->in_c;
    const size_t before = (size_t)first * p->in_c;
    const size_t inside = (size_t)(end - first) * p->in_c;
    const size_t from = (inside > 0U) ? ((size_t)(x_first + first) * p->in_c) : 0U;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        if ((lines[ky] == NULL) || (inside < run)) {
            (void)memset(to, p->in_zero_point, run);
        }
        if (lines[ky] != NULL) {
            (void)memcpy(&to[before], &lines[ky][from], inside);
        }
        to = &to[run];
    }
}

/* Output rows [y0, y1). */
static inline void mplan_conv2d_patches(const mplan_conv2d_patch_s8_dsp_t *p, const int8_t *in,
                                        int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    const size_t bytes = 4U * p->steps;
    const size_t used = (size_t)p->kernel_h * p->kernel_w * p->in_c;
    const int8_t *lines[KERNEL_ROWS];
    mplan_one_patch_t job;

    job.in = scratch;
    job.in_end = &scratch[bytes];
    job.zero_point = p->out_zero_point;
    job.pre_shift = p->pre_shift;
    (void)memset(&scratch[used], 0, bytes - used);
    for (size_t y = y0; y < y1; y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];
        const size_t count = (size_t)p->out_w * p->out_c;
        int32_t x_first = -(int32_t)p->pad_left;

        find_lines(p, in, lines, y);
        for (size_t x = 0U; x < p->out_w; x++) {
            gather(p, lines, scratch, x_first);
            mplan_one_patch(&job, p->packed, p->out_c, &row[x * p->out_c]);
            x_first += (int32_t)p->stride_w;
        }
        for (size_t i = 0U; ((p->act_min > -128) || (p->act_max < 127)) && (i < count); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}

#endif /* MPLAN_CONV2D_PATCHES_DSP_H */
