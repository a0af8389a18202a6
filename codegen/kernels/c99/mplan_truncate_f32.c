/* SPDX-License-Identifier: 0BSD */
#include "mplan_truncate_f32.h"

/* The integer of so many bits, signed or not, that a float becomes. */
static uint64_t truncated(float real, uint32_t bits, uint32_t is_signed)
{
    const uint32_t above = bits - ((is_signed != 0U) ? 1U : 0U);
    const float half = (float)((uint32_t)1U << (above / 2U));
    const float end = half * half * (((above % 2U) != 0U) ? 2.0f : 1.0f);
    const uint64_t most = ~(uint64_t)0U >> (64U - above);
    const float size = (real < 0.0f) ? -real : real;
    uint64_t value = 0U;

    if (size >= end) {
        value = ((real < 0.0f) && (is_signed != 0U)) ? (most + 1U) : most;
    } else if (size >= 1.0f) {
        value = (end <= 4294967296.0f) ? (uint64_t)(uint32_t)size : (uint64_t)size;
    } else {
        /* nothing is before the point, or it is no number */
    }
    if (real < 0.0f) {
        value = (is_signed != 0U) ? ((~value) + 1U) : 0U;
    }
    return value;
}

MPLAN_KERNEL
void mplan_truncate_f32(const mplan_truncate_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        uint8_t *to = (uint8_t *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->elements; i++) {
            uint64_t value = truncated(from[i], 8U * (uint32_t)p->out_bytes, p->out_signed);

            if (p->truth != 0U) {
                value = ((from[i] < 0.0f) || !(from[i] <= 0.0f)) ? 1U : 0U;
            }
            for (uint32_t k = 0U; k < p->out_bytes; k++) {
                to[k] = (uint8_t)(value & 0xFFU);
                value >>= 8;
            }
            to += p->out_bytes;
        }
    }
}
