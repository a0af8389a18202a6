/* SPDX-License-Identifier: 0BSD */
#include "mplan_lookup_s16.h"

MPLAN_KERNEL
void mplan_lookup_s16(const mplan_lookup_s16_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    const uint32_t shift = p->shift;
    const uint32_t mask = ((uint32_t)1 << shift) - 1U;
    const uint32_t down = shift + 4U;
    const int32_t half = (int32_t)((uint32_t)1 << (down - 1U));

    for (size_t y = y0; y < y1; y++) {
        const int16_t *const from = (const int16_t *)(const void *)&in[mplan_row(&p->in_rows, y)];
        int16_t *const to = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->elements; i++) {
            const uint32_t code = (uint32_t)((int32_t)from[i] + 32768);
            const int32_t *const entry = &p->table[code >> shift];
            const int32_t part = (entry[1] - entry[0]) * (int32_t)(code & mask);
            const int32_t line = (entry[0] * (int32_t)(mask + 1U)) + part;

            to[i] = (int16_t)mplan_clamp((line + half) >> down, -32768, 32767);
        }
    }
}
