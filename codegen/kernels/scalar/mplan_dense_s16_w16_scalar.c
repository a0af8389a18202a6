/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_s16_w16_scalar.h"

typedef mplan_dense_s16_w16_scalar_t dense_t;
typedef int16_t weight_t;

#define TWO(word, sum, sum2)                                                                       \
    "sxth r4, " word "; muls r4, r1, r4; add " sum ", r4\n"                                        \
    "asrs " word ", " word ", #16; muls " word ", r1, " word "; add " sum2 ", " word "\n"
#define FOUR "ldm r2!, {r3, r6}\n" TWO("r3", "r8", "r9") TWO("r6", "r10", "r11")

#include "mplan_dense_wide_scalar.h"

MPLAN_KERNEL
void mplan_dense_s16_w16_scalar(const mplan_dense_s16_w16_scalar_t *p, const int8_t *in,
                                int8_t *out, size_t y0, size_t y1)
{
    dense_rows(p, in, out, y0, y1);
}
