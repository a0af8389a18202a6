/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_w4_dsp.h"
#include "mplan_four_halves_dsp.h"

#define MPLAN_FOURS_UNROLL 2
#include "mplan_one_patch_halves_dsp.h"

#include "mplan_conv2d_pixels_dsp.h"

MPLAN_KERNEL void mplan_conv2d_w4_dsp(const mplan_conv2d_w4_dsp_t *p, const int8_t *in,
                                      int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    mplan_conv2d_pixels(p, in, out, y0, y1, scratch);
}
