/* SPDX-License-Identifier: 0BSD */
#include "mplan_binary_s16.h"
#include "mplan_wide_s16.h"

enum { SUM, PRODUCT, LARGER };

/* Steps of the output from its zero point. */
static int32_t joined(const mplan_binary_s16_t *p, int32_t a, int32_t b)
{
    int32_t result;

    if (p->what == (uint8_t)PRODUCT) {
        result = mplan_scale_wide((int64_t)a * b, p->multiplier, p->shift);
    } else {
        const int64_t first = (int64_t)a * p->multiplier;
        const int64_t second = (int64_t)b * p->multiplier2;
        int64_t steps = first + second;

        if (p->what >= (uint8_t)LARGER) {
            steps = ((first > second) == (p->what == (uint8_t)LARGER)) ? first : second;
        }
        result = (int32_t)((steps + ((int64_t)1 << (p->shift - 1U))) >> p->shift);
    }
    return result;
}

/* The innermost loop. */
static void join_run(const mplan_binary_s16_t *p, const int16_t *a, const int16_t *b, int16_t *out)
{
    for (size_t i = 0U; i < p->inner; i++) {
        const int32_t first = (int32_t)a[i * p->in_inner] - p->in_zero_point;
        const int32_t second = (int32_t)b[i * p->in2_inner] - p->in2_zero_point;
        const int32_t result = joined(p, first, second) + p->out_zero_point;

        out[i] = (int16_t)mplan_clamp(result, p->act_min, p->act_max);
    }
}

MPLAN_KERNEL
void mplan_binary_s16(const mplan_binary_s16_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const size_t place = mplan_row(&p->in_rows, y * p->in_moves);
        const size_t place2 = mplan_row(&p->in2_rows, y * p->in2_moves);
        const int16_t *const a = (const int16_t *)(const void *)&in[place];
        const int16_t *const b = (const int16_t *)(const void *)&in2[place2];
        int16_t *to = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->outer; i++) {
            for (size_t j = 0U; j < p->middle; j++) {
                join_run(p, &a[(i * p->in_outer) + (j * p->in_middle)],
                         &b[(i * p->in2_outer) + (j * p->in2_middle)], to);
                to = &to[p->inner];
            }
        }
    }
}
