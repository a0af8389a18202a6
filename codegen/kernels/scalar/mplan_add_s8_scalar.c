/* SPDX-License-Identifier: 0BSD */
#include "mplan_add_s8_scalar.h"

/* One row; the members are read once, so that the loop keeps them in registers. */
static void add_row(const mplan_add_s8_scalar_t *p, const int8_t *in, const int8_t *in2,
                    int8_t *out)
{
    const int32_t multiplier = p->multiplier;
    const int32_t multiplier2 = p->multiplier2;
    const int32_t offset = p->offset;
    const uint32_t shift = p->shift;
    const int32_t zero_point = p->out_zero_point;
    const int32_t act_min = p->act_min;
    const int32_t act_max = p->act_max;
    const size_t count = p->row_bytes;

    for (size_t i = 0U; i < count; i++) {
        const int32_t sum = (in[i] * multiplier) + (in2[i] * multiplier2) + offset;

        out[i] = (int8_t)mplan_clamp((sum >> shift) + zero_point, act_min, act_max);
    }
}

MPLAN_KERNEL
void mplan_add_s8_scalar(const mplan_add_s8_scalar_t *p, const int8_t *in, const int8_t *in2,
                         int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        add_row(p, &in[mplan_row(&p->in_rows, y)], &in2[mplan_row(&p->in2_rows, y)],
                &out[mplan_row(&p->out_rows, y)]);
    }
}
