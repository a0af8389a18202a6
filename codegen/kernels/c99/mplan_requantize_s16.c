/* SPDX-License-Identifier: 0BSD */
#include "mplan_requantize_s16.h"

static int32_t requantized(const mplan_requantize_s16_t *p, int32_t value)
{
    const int32_t steps = value - (int32_t)p->in_zero_point;
    const int32_t result = mplan_scale(steps, p->multiplier, p->pre_shift) + p->out_zero_point;

    return mplan_clamp(result, p->act_min, p->act_max);
}

MPLAN_KERNEL
void mplan_requantize_s16(const mplan_requantize_s16_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        const int16_t *const from_wide = (const int16_t *)(const void *)from;
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];
        int16_t *const to_wide = (int16_t *)(void *)to;

        if (p->from_wide == 0U) {
            for (size_t i = 0U; i < p->elements; i++) {
                to_wide[i] = (int16_t)requantized(p, from[i]);
            }
        } else if (p->to_wide == 0U) {
            for (size_t i = 0U; i < p->elements; i++) {
                to[i] = (int8_t)requantized(p, from_wide[i]);
            }
        } else {
            for (size_t i = 0U; i < p->elements; i++) {
                to_wide[i] = (int16_t)requantized(p, from_wide[i]);
            }
        }
    }
}
