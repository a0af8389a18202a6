/* SPDX-License-Identifier: 0BSD */
#include "mplan_float_f32.h"

/* The magnitude of an integer of so many bytes, which may lie anywhere. */
static uint64_t magnitude(const uint8_t *at, uint32_t bytes, int negative)
{
    uint64_t value = 0U;

    for (uint32_t i = bytes; i > 0U; i--) {
        value = (value << 8) | at[i - 1U];
    }
    if (negative != 0) {
        value = (~value) + 1U;
        value &= ~(uint64_t)0U >> (64U - (8U * bytes));
    }
    return value;
}

MPLAN_KERNEL
void mplan_float_f32(const mplan_float_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const uint8_t *from = (const uint8_t *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->elements; i++) {
            const int negative =
                ((p->in_signed != 0U) && (from[p->in_bytes - 1U] >= 0x80U)) ? 1 : 0;
            const uint64_t size = magnitude(from, p->in_bytes, negative);
            const float real = (size <= UINT32_MAX) ? (float)(uint32_t)size : (float)size;

            to[i] = (negative != 0) ? -real : real;
            from += p->in_bytes;
        }
    }
}
