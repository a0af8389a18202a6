/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_conv2d_wide_scalar.h - convolution of int16, two pixels by four channels at a time.
 *
 * A kernel includes it behind conv_t, its parameters, weight_t, and for assembly WEIGHTS, the
 * products of a tap on Armv6-M, and for other cores LOAD_WEIGHT, which loads one, and ONE and TWO,
 * bytes of so many.
 */
#ifndef MPLAN_CONV2D_WIDE_SCALAR_H
#define MPLAN_CONV2D_WIDE_SCALAR_H

#define HALVES
#define CHANNELS 4U

#include "mplan_pixel_pairs.h"

#if defined(__thumb__)

#if defined(__thumb2__)

#define PAIR(sum, sum2, sum3, sum4)                                                                \
    LOAD_WEIGHT " r6, [r0, #" ONE "]; " LOAD_WEIGHT " r2, [r0], #" TWO "\n"                        \
    "mla " sum ", r4, r2, " sum "; mla " sum2 ", r5, r2, " sum2 "\n"                               \
    "mla " sum3 ", r4, r6, " sum3 "; mla " sum4 ", r5, r6, " sum4 "\n"
#define TAP                                                                                        \
    "ldrsh r5, [r1, #2]; ldrsh r4, [r1], #4\n" PAIR("r8", "r9", "r10", "r11")                      \
    PAIR("r3", "r12", "lr", "r7")

#else

/* A weight, as `how` takes it from the word, or what is left of it, times a pixel. */
#define TIMES(how, pixel, sum) how " r2, r6; muls r2, " pixel ", r2; " sum ", r2\n"
#define REST(sum, sum2)                                                                            \
    "movs r2, r6; muls r2, r4, r2; " sum ", r2; muls r6, r5, r6; " sum2 ", r6\n"
#define TAP "ldm r1!, {r4}; asrs r5, r4, #16; sxth r4, r4\n" WEIGHTS

#endif

/*
 * Sums of all channels of both pixels: the bias, up to its end, and what a patch of a multiple of
 * four taps gives. On Armv6-M 8 multiply-accumulates in 32 cycles, and 50 for every four channels.
 *
 * r0 weights  r1 patch  r2 a product  r4, r5 the pixels of a tap  r6 weights of it
 * r8 to r11, r3, r12, lr, r7 sums
 * sp + 0 patch, + 4 sums, + 8 bias, + 48 its end, + 52 end of the patch
 */
static MPLAN_NAKED void add_products(UNREAD const int32_t *weights,
                                     UNREAD const int32_t *patch,
                                     UNREAD int32_t *sums,
                                     UNREAD const int32_t *bias,
                                     UNREAD const int32_t *end,
                                     UNREAD const int32_t *patch_end)
{
    __asm volatile(".syntax unified\n"
                   "push {r4-r7, lr}; mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"
                   "push {r1-r7}\n"
                   "1:\n" /* four channels */
                   "ldr r2, [sp, #8]; ldm r2!, {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "ldm r2!, {r3-r5, r7}; mov r12, r4; mov lr, r5; str r2, [sp, #8]\n"
                   "ldr r1, [sp, #0]\n"
                   "2:\n" TAP TAP TAP TAP "ldr r2, [sp, #52]; cmp r1, r2; bne 2b\n"
                   "ldr r2, [sp, #4]; mov r4, r8; mov r5, r9; stm r2!, {r4, r5}\n"
                   "mov r4, r10; mov r5, r11; stm r2!, {r4, r5}\n"
                   "mov r4, r12; mov r5, lr; stm r2!, {r3-r5, r7}; str r2, [sp, #4]\n"
                   "ldr r2, [sp, #8]; ldr r3, [sp, #48]; cmp r3, r2; beq 3f; b 1b\n"
                   "3: add sp, #12; pop {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "pop {r4-r7, pc}\n");
}

#else

/* Sums of four channels of both pixels: the bias, and what a patch gives. */
static const weight_t *add_four(const weight_t *w, const int32_t *patch, int32_t *sums,
                                const int32_t *bias, const int32_t *patch_end)
{
    int32_t a0 = bias[0];
    int32_t a1 = bias[1];
    int32_t b0 = bias[2];
    int32_t b1 = bias[3];
    int32_t c0 = bias[4];
    int32_t c1 = bias[5];
    int32_t d0 = bias[6];
    int32_t d1 = bias[7];

    for (; patch != patch_end; patch = &patch[1]) {
        const int32_t first = (int32_t)(int16_t)*patch;
        const int32_t second = *patch >> 16;

        a0 += first * w[0];
        a1 += second * w[0];
        b0 += first * w[1];
        b1 += second * w[1];
        c0 += first * w[2];
        c1 += second * w[2];
        d0 += first * w[3];
        d1 += second * w[3];
        w = &w[4];
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = b0;
    sums[3] = b1;
    sums[4] = c0;
    sums[5] = c1;
    sums[6] = d0;
    sums[7] = d1;
    return w;
}

/* Sums of all channels of both pixels: the bias, up to its end, and what a patch gives. */
static void add_products(const int32_t *weights, const int32_t *patch, int32_t *sums,
                         const int32_t *bias, const int32_t *end, const int32_t *patch_end)
{
    const weight_t *w = (const weight_t *)(const void *)weights;

    for (; bias != end; bias = &bias[8]) {
        w = add_four(w, patch, sums, bias, patch_end);
        sums = &sums[8];
    }
}

#endif

static inline void products(const conv_t *p, int32_t *patch, int32_t *sums, const int32_t *end)
{
    for (uint32_t i = p->added; i > 0U; i--) {
        patch[p->taps - i] = 0;
    }
    add_products(p->packed, patch, sums, p->bias, end, &patch[p->taps]);
}

#include "mplan_conv2d_pairs_scalar.h"

#endif /* MPLAN_CONV2D_WIDE_SCALAR_H */
