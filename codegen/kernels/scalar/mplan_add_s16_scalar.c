/* SPDX-License-Identifier: 0BSD */
#include "mplan_add_s16_scalar.h"

#if defined(__ARM_ARCH_ISA_THUMB) && (__ARM_ARCH_ISA_THUMB == 1)

/*
 * (a * by + b * by2) / 2^16, rounded down, by halves of the factors. Products of lower halves fit
 * 32 bits, what lies above 16 bits of their sum is added to the sum of the products of upper ones.
 */
static inline int32_t joined(int32_t a, int32_t by, int32_t b, int32_t by2)
{
    const int32_t low = a * (by & 0xFFFF);
    const int32_t low2 = b * (by2 & 0xFFFF);
    const int32_t carry = ((low & 0xFFFF) + (low2 & 0xFFFF)) >> 16;

    return (a * (by >> 16)) + (b * (by2 >> 16)) + ((low >> 16) + (low2 >> 16) + carry);
}

#else

/* (a * by + b * by2) / 2^16, rounded down. */
static inline int32_t joined(int32_t a, int32_t by, int32_t b, int32_t by2)
{
    return (int32_t)((((int64_t)a * by) + ((int64_t)b * by2)) >> 16);
}

#endif

/* One row; the members are read once, so that the loop keeps them in registers. */
static void add_row(const mplan_add_s16_scalar_t *p, const int16_t *in, const int16_t *in2,
                    int16_t *out)
{
    const int32_t multiplier = p->multiplier;
    const int32_t multiplier2 = p->multiplier2;
    const uint32_t shift = p->shift - 16U;
    const int32_t half = (int32_t)1 << (shift - 1U);
    const int32_t zero_point = p->out_zero_point;
    const int32_t act_min = p->act_min;
    const int32_t act_max = p->act_max;
    const size_t count = p->row_elements;

    for (size_t i = 0U; i < count; i++) {
        const int32_t sum = joined(in[i], multiplier, in2[i], multiplier2) + half;

        out[i] = (int16_t)mplan_clamp((sum >> shift) + zero_point, act_min, act_max);
    }
}

MPLAN_KERNEL
void mplan_add_s16_scalar(const mplan_add_s16_scalar_t *p, const int8_t *in, const int8_t *in2,
                          int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const size_t place = mplan_row(&p->in_rows, y);
        const size_t place2 = mplan_row(&p->in2_rows, y);

        add_row(p, (const int16_t *)(const void *)&in[place],
                (const int16_t *)(const void *)&in2[place2],
                (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)]);
    }
}
