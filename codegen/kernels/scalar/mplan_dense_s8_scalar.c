/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_s8_scalar.h"

#if defined(__thumb__) && !defined(__thumb2__)

#define UNREAD __attribute__((unused))
#define PRODUCT(at, sum) "ldrsb r3, [r2, " at "]; muls r3, r1, r3; add " sum ", r3\n"

/*
 * Adds the products of [in, end), at least one, with the weights of four outputs; returns what
 * follows them.
 *
 * r0 in  r1 an input  r2 weights  r3 a weight  r4 to r7 0 to 3  r8 to r11 sums  r12 end
 */
static MPLAN_NAKED const int8_t *add_products(
    UNREAD const int8_t *in, UNREAD const int8_t *end, UNREAD const int8_t *weights,
    UNREAD int32_t sums[4])
{
    __asm volatile(".syntax unified\n"
                   "push {r4-r7, lr}\n"
                   "mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"
                   "push {r3-r7}\n"
                   "mov r12, r1; ldm r3!, {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "movs r4, #0; movs r5, #1; movs r6, #2; movs r7, #3\n"
                   "1:\n"
                   "ldrsb r1, [r0, r4]\n" PRODUCT("r4", "r8") PRODUCT("r5", "r9")
                   PRODUCT("r6", "r10") PRODUCT("r7", "r11")
                   "adds r2, r2, #4; adds r0, r0, #1; cmp r0, r12; bne 1b\n"
                   "mov r0, r2; mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"
                   "pop {r3}\n"
                   "stm r3!, {r4-r7}\n"
                   "pop {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "pop {r4-r7, pc}\n");
}

#else

/* Adds the products of [in, end) with the weights of four outputs; returns what follows them. */
static const int8_t *add_products(const int8_t *in, const int8_t *end, const int8_t *weights,
                                  int32_t sums[4])
{
    int32_t a = sums[0];
    int32_t b = sums[1];
    int32_t c = sums[2];
    int32_t d = sums[3];

    for (; in != end; in = &in[1]) {
        const int32_t value = *in;

        a += value * weights[0];
        b += value * weights[1];
        c += value * weights[2];
        d += value * weights[3];
        weights = &weights[4];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
    return weights;
}

#endif

/* One pixel, all outputs. */
static void dense_pixel(const mplan_dense_s8_scalar_t *p, const int8_t *in, int8_t *out)
{
    const int8_t *weights = p->packed;

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

            out[first + i] = (int8_t)mplan_clamp(value, p->act_min, p->act_max);
        }
    }
}

MPLAN_KERNEL
void mplan_dense_s8_scalar(const mplan_dense_s8_scalar_t *p, const int8_t *in, int8_t *out,
                           size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = p->pixels; x > 0U; x--) {
            dense_pixel(p, from, to);
            from = &from[p->in_c];
            to = &to[p->out_c];
        }
    }
}
