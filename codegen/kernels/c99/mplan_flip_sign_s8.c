/* SPDX-License-Identifier: 0BSD */
#include "mplan_flip_sign_s8.h"

MPLAN_KERNEL
void mplan_flip_sign_s8(const mplan_flip_sign_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->row_bytes; i++) {
            const int32_t value = from[i];

            to[i] = (int8_t)((value >= 0) ? (value - 128) : (value + 128));
        }
    }
}
