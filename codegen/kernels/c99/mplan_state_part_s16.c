/* SPDX-License-Identifier: 0BSD */
#include "mplan_state_part_s16.h"

MPLAN_KERNEL
void mplan_state_part_s16(const mplan_state_part_s16_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1)
{
    const int32_t most = (p->wide != 0U) ? 32767 : 127;

    for (size_t b = 0U; (b < p->batch) && (y0 < y1); b++) {
        const size_t place = ((b * p->parts) + p->part) * p->hidden;
        const int16_t *const from = &((const int16_t *)(const void *)in)[place];

        for (size_t j = 0U; j < p->hidden; j++) {
            const int32_t scaled = mplan_scale(from[j], p->multiplier, p->pre_shift);
            const int32_t q = mplan_clamp(scaled + p->out_zero_point, -most - 1, most);

            if (p->wide != 0U) {
                ((int16_t *)(void *)out)[(b * p->hidden) + j] = (int16_t)q;
            } else {
                out[(b * p->hidden) + j] = (int8_t)q;
            }
        }
    }
}
