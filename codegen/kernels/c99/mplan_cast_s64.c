/* SPDX-License-Identifier: 0BSD */
#include "mplan_cast_s64.h"

/* An integer of so many bytes, which may lie anywhere, in 64 bits. */
static uint64_t taken(const uint8_t *at, uint32_t bytes, uint32_t is_signed)
{
    uint64_t value = 0U;

    for (uint32_t i = bytes; i > 0U; i--) {
        value = (value << 8) | at[i - 1U];
    }
    if ((is_signed != 0U) && (bytes < 8U) && (at[bytes - 1U] >= 0x80U)) {
        value |= ~(uint64_t)0U << (8U * bytes);
    }
    return value;
}

MPLAN_KERNEL
void mplan_cast_s64(const mplan_cast_s64_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const uint8_t *from = (const uint8_t *)&in[mplan_row(&p->in_rows, y)];
        uint8_t *to = (uint8_t *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->elements; i++) {
            uint64_t value = taken(from, p->in_bytes, p->in_signed);

            if (p->truth != 0U) {
                value = (value != 0U) ? 1U : 0U;
            }
            for (uint32_t k = 0U; k < p->out_bytes; k++) {
                to[k] = (uint8_t)(value & 0xFFU);
                value >>= 8;
            }
            from += p->in_bytes;
            to += p->out_bytes;
        }
    }
}
