/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_conv2d_s16_w16_mve.h"

typedef mplan_conv2d_s16_w16_mve_t conv_t;

#define WEIGHT int16_t
#define WEIGHTS(q) "vldrh.16 " q ", [r1], #16; "

#include "mplan_conv2d_halves_mve.h"

MPLAN_KERNEL
void mplan_conv2d_s16_w16_mve(const mplan_conv2d_s16_w16_mve_t *p, const int8_t *in, int8_t *out,
                              size_t y0, size_t y1, int8_t *scratch)
{
    if (p->strip == 0U) {
        pixel_rows(p, in, out, y0, y1, scratch);
    } else {
        strip_rows(p, in, out, y0, y1, scratch);
    }
}
