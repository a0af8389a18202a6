/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s16_w16_scalar.h"

typedef mplan_conv2d_s16_w16_scalar_t conv_t;
typedef int16_t weight_t;

#define WORD(sum, sum2, sum3, sum4)                                                                \
    "ldm r0!, {r6}\n" TIMES("sxth", "r4", sum) TIMES("sxth", "r5", sum2)                           \
    "asrs r6, r6, #16\n" REST(sum3, sum4)
#define WEIGHTS                                                                                    \
    WORD("add r8", "add r9", "add r10", "add r11") WORD("adds r3", "add r12", "add lr", "adds r7")
#define LOAD_WEIGHT "ldrsh"
#define ONE "2"
#define TWO "4"

#include "mplan_conv2d_wide_scalar.h"

MPLAN_KERNEL
void mplan_conv2d_s16_w16_scalar(const mplan_conv2d_s16_w16_scalar_t *p, const int8_t *in,
                                 int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    conv2d_pairs(p, in, out, y0, y1, scratch);
}
