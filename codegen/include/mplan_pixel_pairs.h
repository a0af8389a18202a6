/* SPDX-License-Identifier: 0BSD */
/* mplan_pixel_pairs.h - what comes before and behind the products of two pixels in a word. */
#ifndef MPLAN_PIXEL_PAIRS_H
#define MPLAN_PIXEL_PAIRS_H

#include "mplan.h"

#define UNREAD __attribute__((unused))

/*
 * Values of inputs and outputs, how those of a lower half are joined to others, and how assembly
 * does it. A kernel of int16 defines HALVES; it takes its lower halves without a sign.
 */
#if defined(HALVES)
typedef int16_t value_t;
typedef uint16_t joined_t;
#define LOAD "ldrh"
#define STORE "strh"
#define NEXT "2"
#define TO_BYTES "lsls r5, r5, #1\n"
#else
typedef int8_t value_t;
typedef int8_t joined_t;
#define LOAD "ldrsb"
#define STORE "strb"
#define NEXT "1"
#define TO_BYTES
#endif

/* What becomes of the sums of two pixels; the offsets stand in the assembly. */
typedef struct {
    value_t *out0;      /*  0 */
    value_t *out1;      /*  4 */
    int32_t channels;   /*  8: at least 1 */
    int32_t zero_point; /* 12 */
    int32_t act_min;    /* 16 */
    int32_t act_max;    /* 20 */
} outputs_t;

#if defined(__thumb__) && !defined(__thumb2__)

MPLAN_STATIC_ASSERT(outputs_as_in_assembly,
                    MPLAN_AT(outputs_t, out0, 0U) && MPLAN_AT(outputs_t, out1, 4U) &&
                    MPLAN_AT(outputs_t, channels, 8U) && MPLAN_AT(outputs_t, zero_point, 12U) &&
                    MPLAN_AT(outputs_t, act_min, 16U) && MPLAN_AT(outputs_t, act_max, 20U));

/* mplan_scale_30, zero point, limits: from r0 on to `out` at r7. */
#define OUTPUT(out)                                                                                \
    "ldm r0!, {r4}; asrs r5, r4, #16; uxth r4, r4\n"                                               \
    "movs r6, r3; muls r6, r4, r6; lsrs r6, r6, #16; muls r4, r2, r4; adds r4, r4, r6\n"           \
    "movs r6, r3; muls r6, r5, r6; adds r4, r4, r6; add r4, lr; asrs r4, r4, #16\n"                \
    "muls r5, r2, r5; adds r5, r5, r4; add r5, r12\n"                                              \
    "cmp r5, r8; bge 5f; mov r5, r8; 5: cmp r5, r9; ble 6f; mov r5, r9; 6:\n"                      \
    "mov r6, " out "; " STORE " r5, [r6, r7]\n"

/*
 * Sums to outputs, channel by channel.
 *
 * r0 sums  r1 multipliers  r2, r3 upper and lower half of one  r4, r5, r6 parts of a product
 * r7 place, from below 0  r8, r9 limits  r10, r11 ends of the outputs  r12 zero point  lr 32768
 */
static MPLAN_NAKED void finish(UNREAD const int32_t *sums,
                               UNREAD const int32_t *multiplier,
                               UNREAD const outputs_t *outputs)
{
    __asm volatile(".syntax unified\n"
                   "push {r4-r7, lr}; mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"
                   "push {r4-r7}\n"
                   "ldm r2!, {r3-r7}\n"
                   "ldr r2, [r2]; mov r9, r2; mov r8, r7; mov r12, r6\n" TO_BYTES
                   "rsbs r7, r5, #0\n"
                   "adds r3, r3, r5; mov r10, r3; adds r4, r4, r5; mov r11, r4\n"
                   "movs r2, #128; lsls r2, r2, #8; mov lr, r2\n"
                   "1:\n"
                   "ldm r1!, {r3}; lsrs r2, r3, #16; uxth r3, r3\n" OUTPUT("r10") OUTPUT("r11")
                   "adds r7, r7, #" NEXT "; bne 1b\n"
                   "pop {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "pop {r4-r7, pc}\n");
}

#define JOIN(a, b)                                                                                 \
    LOAD " " a ", [r0, r6]; " LOAD " " b ", [r1, r6]; lsls " b ", " b ", #16\n"                    \
    "adds " a ", " a ", " b "; adds r6, r6, #" NEXT "\n"
#define JOIN2 JOIN("r4", "r5") JOIN("r5", "r7") "stm r2!, {r4, r5}\n"

/* Joins two lines to words of a patch. r6 is the place in both. */
static MPLAN_NAKED int32_t *join(UNREAD const value_t *line0,
                                 UNREAD const value_t *line1,
                                 UNREAD int32_t *to,
                                 UNREAD size_t count)
{
    __asm volatile(".syntax unified\n"
                   "push {r4-r7, lr}; movs r6, #0; subs r3, r3, #4; bcc 2f\n"
                   "1:\n" JOIN2 JOIN2 "subs r3, r3, #4; bcs 1b\n"
                   "2: adds r3, r3, #4; beq 4f\n"
                   "3:\n" JOIN("r4", "r5") "stm r2!, {r4}; subs r3, r3, #1; bne 3b\n"
                   "4: mov r0, r2; pop {r4-r7, pc}\n");
}

#else

static value_t result(const outputs_t *outputs, int32_t sum, int32_t multiplier)
{
    const int32_t value = mplan_scale_30(sum, multiplier) + outputs->zero_point;

    return (value_t)mplan_clamp(value, outputs->act_min, outputs->act_max);
}

/* Sums to outputs, channel by channel. */
static void finish(const int32_t *sums, const int32_t *multiplier, const outputs_t *outputs)
{
    for (int32_t i = 0; i < outputs->channels; i++) {
        outputs->out0[i] = result(outputs, sums[0], multiplier[i]);
        outputs->out1[i] = result(outputs, sums[1], multiplier[i]);
        sums = &sums[2];
    }
}

/* Joins two lines to words of a patch. */
static int32_t *join(const value_t *line0, const value_t *line1, int32_t *to, size_t count)
{
    for (size_t i = 0U; i < count; i++) {
        to[i] = (int32_t)(joined_t)line0[i] + ((int32_t)line1[i] * 65536);
    }
    return &to[count];
}

#endif

#endif /* MPLAN_PIXEL_PAIRS_H */
