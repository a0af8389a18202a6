/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_rows_s8_dsp.h"
#include "mplan_four_channels_dsp.h"

#include "mplan_conv2d_lines_dsp.h"

MPLAN_KERNEL void mplan_conv2d_rows_s8_dsp(const mplan_conv2d_rows_s8_dsp_t *p, const int8_t *in,
                                           int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    mplan_conv2d_lines(p, in, out, y0, y1, scratch);
}
