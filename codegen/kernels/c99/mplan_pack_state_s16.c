/* SPDX-License-Identifier: 0BSD */
#include "mplan_pack_state_s16.h"

typedef struct {
    int32_t multiplier;
    int32_t zero_point;
    uint32_t pre_shift;
} grid_t;

static int16_t value_of(const grid_t *g, int32_t q)
{
    const int32_t scaled = mplan_scale(q - g->zero_point, g->multiplier, g->pre_shift);

    return (int16_t)mplan_clamp(scaled, -32767, 32767);
}

static void pack(const grid_t *g, const void *values, uint8_t wide, size_t first, int16_t *to,
                 size_t count)
{
    const grid_t grid = *g;

    if (wide != 0U) {
        const int16_t *const from = &((const int16_t *)values)[first];

        for (size_t j = 0U; j < count; j++) {
            to[j] = value_of(&grid, from[j]);
        }
    } else {
        const int8_t *const from = &((const int8_t *)values)[first];

        for (size_t j = 0U; j < count; j++) {
            to[j] = value_of(&grid, from[j]);
        }
    }
}

MPLAN_KERNEL
void mplan_pack_state_s16(const mplan_pack_state_s16_t *p, const void *h, const void *c,
                          int8_t *out, size_t y0, size_t y1)
{
    const grid_t of_h = {p->h_multiplier, p->h_zero_point, p->h_pre_shift};
    const grid_t of_c = {p->c_multiplier, p->c_zero_point, p->c_pre_shift};
    const size_t n = p->hidden;

    for (size_t b = 0U; (b < p->batch) && (y0 < y1); b++) {
        int16_t *const to = &((int16_t *)(void *)out)[b * p->parts * n];

        pack(&of_h, h, p->h_wide, b * n, to, n);
        if (p->parts > 1U) {
            pack(&of_c, c, p->c_wide, b * n, &to[n], n);
        }
    }
}
