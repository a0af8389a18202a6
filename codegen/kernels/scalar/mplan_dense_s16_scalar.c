/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_s16_scalar.h"

typedef mplan_dense_s16_scalar_t dense_t;
typedef int8_t weight_t;

#define NEXT(sum) "sxtb r4, r3; muls r4, r1, r4; add " sum ", r4; asrs r3, r3, #8\n"
#define FOUR                                                                                       \
    "ldm r2!, {r3}\n" NEXT("r8") NEXT("r9") NEXT("r10") "muls r3, r1, r3; add r11, r3\n"

#include "mplan_dense_wide_scalar.h"

MPLAN_KERNEL
void mplan_dense_s16_scalar(const mplan_dense_s16_scalar_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1)
{
    dense_rows(p, in, out, y0, y1);
}
