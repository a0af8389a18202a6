/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_s8_scalar.h"
#include "mplan_pixel_pairs.h"

#if defined(__thumb__)

/*
 * r0 weights  r1 patch  r2 a word of it  r3 a weight
 * r6, r7 sums of the run for channel a and b, r12 what they begin with: 32768 makes the lower half
 * of a sum unsigned. r8 sum of a for pixel 0 and 65536 times that for pixel 1, r9 that for pixel 1
 * alone, r10, r11 of b.
 */
#if defined(__thumb2__)

#define BEGIN "subs r0, r0, #1\n" /* r0 is one byte behind what was read last */
#define TAP                                                                                        \
    "ldr r2, [r1], #4; ldrsb r3, [r0, #1]; ldrsb r4, [r0, #2]!\n"                                  \
    "mla r6, r2, r3, r6; mla r7, r2, r4, r7\n"
#define LAST_TAP TAP
#define TAP_BYTES 20
#define TO_RUN "ldrb r2, [r0, #1]!; add r2, r2, r2, lsr #2\n" /* for 20 bytes, not 16 */
#define END_OF_CHANNELS

#else

#define BEGIN "movs r4, #1; movs r5, #2\n" /* r0 is where a run begins, and moves with its taps */
#define TAP_OF(apart)                                                                              \
    "ldm r1!, {r2}\n"                                                                              \
    "ldrsb r3, [r0, r4]; muls r3, r2, r3; adds r6, r6, r3\n"                                       \
    "ldrsb r3, [r0, r5]; muls r3, r2, r3; adds r7, r7, r3\n"                                       \
    "adds r0, #" apart "\n"
#define TAP TAP_OF("2")
#define LAST_TAP TAP_OF("3")
#define TAP_BYTES 16
#define TO_RUN "ldrb r2, [r0]\n"
#define END_OF_CHANNELS "adds r0, r0, #1\n"

#endif

#define TAPS7 TAP TAP TAP TAP TAP TAP TAP

/*
 * Sums of all channels: the bias, up to its end, and what a patch gives. A run begins with the
 * distance in bytes from the branch at its end, 2 for 15 taps and 16 more for each tap less. On
 * Armv6-M 8 instructions for 4 multiply-accumulates, and 11 for each run.
 */
static MPLAN_NAKED void add_products(UNREAD const int8_t *weights,
                                     UNREAD const int32_t *patch,
                                     UNREAD int32_t *sums,
                                     UNREAD const int32_t *bias,
                                     UNREAD const int32_t *end)
{
    __asm volatile(".syntax unified\n"
                   "push {r4-r7, lr}; mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"
                   "push {r1-r7}\n" /* sp + 0 patch, + 4 sums, + 8 bias, + 48 end */
                   "movs r4, #128; lsls r4, r4, #8; mov r12, r4\n" BEGIN
                   "1:\n" /* two channels */
                   "ldr r3, [sp, #8]; ldm r3!, {r1, r2, r6, r7}; str r3, [sp, #8]\n"
                   "mov r8, r1; mov r9, r2; mov r10, r6; mov r11, r7\n"
                   "ldr r1, [sp, #0]\n"
                   "2:\n" /* a run, or 0 */
                   "mov r6, r12; mov r7, r12\n" TO_RUN "add pc, r2\n"
                   "nop\n"
                   "5: b 3f\n" /* pc of the addition */
                   TAPS7 TAPS7 LAST_TAP MPLAN_CODE_BYTES("5b", 2 + 15 * TAP_BYTES)
                   "add r8, r6; asrs r6, r6, #16; add r9, r6\n"
                   "add r10, r7; asrs r7, r7, #16; add r11, r7\n"
                   "b 2b\n"
                   "3:\n"
                   "mov r1, r8; mov r2, r9; lsls r3, r2, #16; subs r1, r1, r3\n"
                   "mov r6, r10; mov r7, r11; lsls r3, r7, #16; subs r6, r6, r3\n"
                   "ldr r3, [sp, #4]\n"
                   "stm r3!, {r1, r2, r6, r7}\n" END_OF_CHANNELS
                   "str r3, [sp, #4]; ldr r2, [sp, #8]; ldr r3, [sp, #48]; cmp r3, r2\n"
                   "beq 4f; b 1b\n"
                   "4: add sp, #12; pop {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "pop {r4-r7, pc}\n");
}

#else

/* A run of taps of two channels; returns what follows it. */
static const int8_t *add_run(const int8_t *weights, const int32_t *patch, uint32_t taps,
                             uint32_t *sums)
{
    uint32_t a = 32768U; /* makes the lower half of a sum unsigned */
    uint32_t b = 32768U;

    for (; taps > 0U; taps--) {
        a += (uint32_t)*patch * (uint32_t)(int32_t)weights[0];
        b += (uint32_t)*patch * (uint32_t)(int32_t)weights[1];
        patch = &patch[1];
        weights = &weights[2];
    }
    sums[0] += a;
    sums[1] += (uint32_t)((int32_t)a >> 16);
    sums[2] += b;
    sums[3] += (uint32_t)((int32_t)b >> 16);
    return weights;
}

/* Sums of all channels: the bias, up to its end, and what a patch gives. */
static void add_products(const int8_t *weights, const int32_t *patch, int32_t *sums,
                         const int32_t *bias, const int32_t *end)
{
    while (bias != end) {
        const int32_t *next = patch;
        uint32_t both[4];

        for (size_t i = 0U; i < 4U; i++) {
            both[i] = (uint32_t)bias[i];
        }
        while (*weights != 0) {
            const uint32_t taps = 15U - ((uint32_t)(uint8_t)*weights >> 4);

            weights = add_run(&weights[1], next, taps, both);
            next = &next[taps];
        }
        sums[0] = (int32_t)(both[0] - (both[1] << 16));
        sums[1] = (int32_t)both[1];
        sums[2] = (int32_t)(both[2] - (both[3] << 16));
        sums[3] = (int32_t)both[3];
        weights = &weights[1];
        bias = &bias[4];
        sums = &sums[4];
    }
}

#endif

typedef mplan_conv2d_s8_scalar_t conv_t;

static inline void products(const conv_t *p, const int32_t *patch, int32_t *sums,
                            const int32_t *end)
{
    add_products(p->packed, patch, sums, p->bias, end);
}

#define CHANNELS 2U

#include "mplan_conv2d_pairs_scalar.h"

MPLAN_KERNEL
void mplan_conv2d_s8_scalar(const mplan_conv2d_s8_scalar_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch)
{
    conv2d_pairs(p, in, out, y0, y1, scratch);
}
