/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s16_scalar.h"

typedef mplan_conv2d_s16_scalar_t conv_t;
typedef int8_t weight_t;

#define BYTE(sum, sum2)                                                                            \
    TIMES("sxtb", "r4", sum) TIMES("sxtb", "r5", sum2) "asrs r6, r6, #8\n"
#define WEIGHTS                                                                                    \
    "ldm r0!, {r6}\n" BYTE("add r8", "add r9") BYTE("add r10", "add r11")                          \
    BYTE("adds r3", "add r12") REST("add lr", "adds r7")
#define LOAD_WEIGHT "ldrsb"
#define ONE "1"
#define TWO "2"

#include "mplan_conv2d_wide_scalar.h"

MPLAN_KERNEL
void mplan_conv2d_s16_scalar(const mplan_conv2d_s16_scalar_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1, int8_t *scratch)
{
    conv2d_pairs(p, in, out, y0, y1, scratch);
}
