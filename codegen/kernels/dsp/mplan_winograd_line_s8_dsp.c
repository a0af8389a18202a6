/* SPDX-License-Identifier: 0BSD */
#include "mplan_winograd_line_s8_dsp.h"

#include "mplan_winograd_lines_dsp.h"

MPLAN_KERNEL void mplan_winograd_line_s8_dsp(const mplan_winograd_line_s8_dsp_t *p,
                                             const int8_t *in, int8_t *out, size_t y0, size_t y1,
                                             int8_t *scratch)
{
    make_lines(p, in, out, y0, y1, scratch);
}
