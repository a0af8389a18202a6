/* SPDX-License-Identifier: 0BSD */
#include "mplan_pack_state_s16.h"

static int32_t value_at(const void *values, uint8_t wide, size_t at)
{
    return (wide != 0U) ? ((const int16_t *)values)[at] : ((const int8_t *)values)[at];
}

MPLAN_KERNEL
void mplan_pack_state_s16(const mplan_pack_state_s16_t *p, const void *h, const void *c,
                          int8_t *out, size_t y0, size_t y1)
{
    for (size_t b = 0U; (b < p->batch) && (y0 < y1); b++) {
        int16_t *const to = &((int16_t *)(void *)out)[b * p->parts * p->hidden];

        for (size_t j = 0U; j < p->hidden; j++) {
            const int32_t q = value_at(h, p->h_wide, (b * p->hidden) + j) - p->h_zero_point;

            to[j] = (int16_t)mplan_clamp(mplan_scale(q, p->h_multiplier, p->h_pre_shift), -32767,
                                         32767);
        }
        for (size_t j = 0U; (j < p->hidden) && (p->parts > 1U); j++) {
            const int32_t q = value_at(c, p->c_wide, (b * p->hidden) + j) - p->c_zero_point;

            to[p->hidden + j] = (int16_t)mplan_clamp(
                mplan_scale(q, p->c_multiplier, p->c_pre_shift), -32767, 32767);
        }
    }
}
