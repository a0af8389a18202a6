/* SPDX-License-Identifier: 0BSD */
#include "mplan_depthwise3x3_s8_dsp.h"

#include "mplan_depthwise3x3_dsp.h"

MPLAN_KERNEL
void mplan_depthwise3x3_s8_dsp(const mplan_depthwise3x3_s8_dsp_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1)
{
    mplan_depthwise3x3(p, in, out, y0, y1);
}
