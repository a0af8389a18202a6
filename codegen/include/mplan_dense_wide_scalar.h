/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_dense_wide_scalar.h - fully connected layer of int16, for weights of either type.
 *
 * A kernel includes it behind dense_t, its parameters, weight_t, and FOUR, its products on Armv6-M.
 */
#ifndef MPLAN_DENSE_WIDE_SCALAR_H
#define MPLAN_DENSE_WIDE_SCALAR_H

#include "mplan.h"

#if defined(__thumb__) && !defined(__thumb2__)

#define UNREAD __attribute__((unused))

/*
 * Adds the products of [in, end), at least one, with the weights of four outputs; returns what
 * follows them.
 *
 * r0 in  r1 an input  r2 weights  r3, r6 words of them  r4 a product  r5 end  r7 0
 * r8 to r11 sums
 */
static MPLAN_NAKED const int32_t *add_products(
    UNREAD const int16_t *in, UNREAD const int16_t *end, UNREAD const int32_t *weights,
    UNREAD int32_t sums[4])
{
    __asm volatile(".syntax unified\n"
                   "push {r4-r7, lr}\n"
                   "mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"
                   "push {r3-r7}\n"
                   "ldm r3!, {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "mov r5, r1; movs r7, #0\n"
                   "1:\n"
                   "ldrsh r1, [r0, r7]\n" FOUR "adds r0, r0, #2; cmp r0, r5; bne 1b\n"
                   "mov r0, r2; mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"
                   "pop {r3}\n"
                   "stm r3!, {r4-r7}\n"
                   "pop {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "pop {r4-r7, pc}\n");
}

#else

/* Adds the products of [in, end) with the weights of four outputs; returns what follows them. */
static const int32_t *add_products(const int16_t *in, const int16_t *end, const int32_t *weights,
                                   int32_t sums[4])
{
    const weight_t *w = (const weight_t *)(const void *)weights;
    int32_t a = sums[0];
    int32_t b = sums[1];
    int32_t c = sums[2];
    int32_t d = sums[3];

    for (; in != end; in = &in[1]) {
        const int32_t value = *in;

        a += value * w[0];
        b += value * w[1];
        c += value * w[2];
        d += value * w[3];
        w = &w[4];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
    return (const int32_t *)(const void *)w;
}

#endif

/* One pixel, all outputs. */
static void dense_pixel(const dense_t *p, const int16_t *in, int16_t *out)
{
    const int32_t *weights = p->packed;

    for (size_t first = 0U; first < p->out_c; first += 4U) {
        const size_t left = p->out_c - first;
        const size_t count = (left < 4U) ? left : 4U;
        int32_t sums[4];

        for (size_t i = 0U; i < 4U; i++) {
            sums[i] = p->bias[first + i];
        }
        weights = add_products(in, &in[p->in_c], weights, sums);
        for (size_t i = 0U; i < count; i++) {
            const int32_t scaled = mplan_scale_30(sums[i], p->multiplier[first + i]);
            const int32_t value = scaled + p->out_zero_point;

            out[first + i] = (int16_t)mplan_clamp(value, p->act_min, p->act_max);
        }
    }
}

/* Output rows [y0, y1). */
static inline void dense_rows(const dense_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int16_t *from = (const int16_t *)(const void *)&in[mplan_row(&p->in_rows, y)];
        int16_t *to = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = p->pixels; x > 0U; x--) {
            dense_pixel(p, from, to);
            from = &from[p->in_c];
            to = &to[p->out_c];
        }
    }
}

#endif /* MPLAN_DENSE_WIDE_SCALAR_H */
