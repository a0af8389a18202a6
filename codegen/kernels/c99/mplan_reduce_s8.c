/* SPDX-License-Identifier: 0BSD */
#include "mplan_reduce_s8.h"

/* The largest whole number whose square is not above a number. */
static uint32_t root_of(uint64_t square)
{
    uint64_t rest = square;
    uint64_t root = 0U;

    for (uint64_t bit = (uint64_t)1U << 62; bit != 0U; bit >>= 2) {
        if (rest >= (root + bit)) {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint32_t)root;
}

/* The output whose elements begin at one of each row, from row y on. */
static int8_t reduced(const mplan_reduce_s8_t *p, const int8_t *in, size_t y, size_t start)
{
    const uint32_t *const loops = &p->loops[MPLAN_REDUCE_LOOPS];
    uint32_t sum = 0U;

    for (size_t r = 0U; r < p->rows; r++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y + r) + start];

        for (size_t a = 0U; a < loops[0]; a++) {
            for (size_t b = 0U; b < loops[2]; b++) {
                const int8_t *const at = &from[(a * loops[1]) + (b * loops[3])];

                for (size_t c = 0U; c < loops[4]; c++) {
                    const int32_t x = (int32_t)at[c * loops[5]] - p->in_zero_point;
                    const int32_t size = (x < 0) ? -x : x;

                    sum += (uint32_t)((p->what == MPLAN_REDUCE_L1) ? size : (size * size));
                }
            }
        }
    }
    if (p->what == MPLAN_REDUCE_L2) {
        sum = root_of((uint64_t)sum << (2U * p->root_bits));
    }
    return (int8_t)mplan_clamp(
        mplan_scale((int32_t)sum, p->multiplier, p->pre_shift) + p->out_zero_point, -128, 127);
}

MPLAN_KERNEL
void mplan_reduce_s8(const mplan_reduce_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1)
{
    const size_t outputs = mplan_reduce_outputs(p->loops);

    for (size_t y = y0; y < y1; y++) {
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < outputs; i++) {
            to[i] = reduced(p, in, y, mplan_reduce_place(p->loops, i));
        }
    }
}
