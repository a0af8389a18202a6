/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_w4_scalar.h"
#include "mplan_pixel_pairs.h"

typedef mplan_conv2d_w4_scalar_t conv_t;

/* What is read of a layer for every two channels. */
typedef struct {
    const int32_t *end;     /* of the bias */
    const uint8_t *runs;    /* of a patch */
    const uint8_t *factors; /* of runs; NULL: all are 1 */
} layer_t;

#if defined(__thumb__)

MPLAN_STATIC_ASSERT(layer_as_in_assembly, MPLAN_AT(layer_t, end, 0U) &&
                                              MPLAN_AT(layer_t, runs, 4U) &&
                                              MPLAN_AT(layer_t, factors, 8U));

/*
 * r0 weights  r1 patch  r2, r5 two words of it  r3 a weight  r4 the weights of four taps
 * r6, r7 sums of the run for channel a and b, which begin with 32768: it makes the lower half of a
 * sum unsigned. r8 sum of a for pixel 0 and 65536 times that for pixel 1, r9 that for pixel 1
 * alone, r10, r11 of b. r12 factors, lr runs; sp + 0 patch, + 4 sums, + 8 bias, + 48 layer
 */
#if defined(__thumb2__)

#define PRODUCT(at, above, word, sum)                                                              \
    "sbfx r3, r4, #" at ", #4; mla " sum ", " word ", r3, " sum "\n"
#define LAST_PRODUCT(word, sum) PRODUCT("28", "0", word, sum)
#define FOUR_BYTES 70
#define TO_RUN "add r2, r2, r2, lsr #5\n" /* for 70 bytes, not 68 */

#else

#define TIMES(word, sum) "muls r3, " word ", r3; adds " sum ", " sum ", r3\n"
#define PRODUCT(at, above, word, sum)                                                              \
    "lsls r3, r4, #" above "; asrs r3, r3, #28\n" TIMES(word, sum)
#define LAST_PRODUCT(word, sum) "asrs r3, r4, #28\n" TIMES(word, sum)
#define FOUR_BYTES 68
#define TO_RUN

#endif

#define FOUR                                                                                       \
    "ldm r0!, {r4}; ldm r1!, {r2, r5}\n" PRODUCT("0", "28", "r2", "r6")                            \
    PRODUCT("4", "24", "r2", "r7") PRODUCT("8", "20", "r5", "r6") PRODUCT("12", "16", "r5", "r7")  \
    "ldm r1!, {r2, r5}\n" PRODUCT("16", "12", "r2", "r6") PRODUCT("20", "8", "r2", "r7")           \
    PRODUCT("24", "4", "r5", "r6") LAST_PRODUCT("r5", "r7")

/*
 * Sums of all channels: the bias, up to its end, and what a patch gives. On Armv6-M 34 instructions
 * for 16 multiply-accumulates, and 21 for each run; 10 more where it has factors.
 */
static MPLAN_NAKED void add_products(UNREAD const int32_t *weights,
                                     UNREAD const int32_t *patch,
                                     UNREAD int32_t *sums,
                                     UNREAD const int32_t *bias,
                                     UNREAD const layer_t *layer)
{
    __asm volatile(".syntax unified\n"
                   "push {r4-r7, lr}; mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"
                   "push {r1-r7}; ldr r4, [sp, #48]; ldr r4, [r4, #8]; mov r12, r4\n"
                   "1:\n" /* two channels */
                   "ldr r3, [sp, #8]; ldm r3!, {r1, r2, r6, r7}; str r3, [sp, #8]\n"
                   "mov r8, r1; mov r9, r2; mov r10, r6; mov r11, r7\n"
                   "ldr r1, [sp, #0]; ldr r3, [sp, #48]; ldr r3, [r3, #4]; mov lr, r3\n"
                   "2:\n" /* a run, or 0 */
                   "movs r6, #1; lsls r6, r6, #15; mov r7, r6\n"
                   "mov r3, lr; ldrb r2, [r3]; adds r3, r3, #1; mov lr, r3; lsls r2, r2, #1\n"
                   TO_RUN "add pc, r2\n"
                   "nop\n"
                   "5: b 3f\n" /* pc of the addition */
                   FOUR FOUR FOUR FOUR FOUR FOUR FOUR FOUR
                   MPLAN_CODE_BYTES("5b", 2 + 8 * FOUR_BYTES)
                   "mov r3, r12; cmp r3, #0; bne 6f\n"
                   "add r8, r6; asrs r6, r6, #16; add r9, r6\n"
                   "add r10, r7; asrs r7, r7, #16; add r11, r7\n"
                   "b 2b\n"
                   "6:\n"
                   "ldrb r4, [r3]; adds r3, r3, #1; mov r12, r3\n"
                   "lsrs r5, r4, #4; lsls r4, r4, #28; lsrs r4, r4, #28\n"
                   "asrs r2, r6, #16; muls r6, r4, r6; add r8, r6; muls r2, r4, r2; add r9, r2\n"
                   "asrs r2, r7, #16; muls r7, r5, r7; add r10, r7; muls r2, r5, r2; add r11, r2\n"
                   "b 2b\n"
                   "3:\n"
                   "mov r1, r8; mov r2, r9; lsls r3, r2, #16; subs r1, r1, r3\n"
                   "mov r6, r10; mov r7, r11; lsls r3, r7, #16; subs r6, r6, r3\n"
                   "ldr r3, [sp, #4]; stm r3!, {r1, r2, r6, r7}; str r3, [sp, #4]\n"
                   "ldr r2, [sp, #8]; ldr r3, [sp, #48]; ldr r3, [r3]; cmp r3, r2\n"
                   "beq 4f; b 1b\n"
                   "4: add sp, #12; pop {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "pop {r4-r7, pc}\n");
}

#else

/* A weight of four bits. */
static uint32_t weight(uint32_t both, uint32_t from)
{
    return (((both >> from) & 15U) ^ 8U) - 8U;
}

/* A run of fours of taps of two channels, with its factors. */
static void add_run(const int32_t *weights, const int32_t *patch, uint32_t fours, uint32_t factor,
                    uint32_t *sums)
{
    uint32_t a = 32768U; /* makes the lower half of a sum unsigned */
    uint32_t b = 32768U;

    for (uint32_t i = 0U; i < (4U * fours); i++) {
        const uint32_t four = (uint32_t)weights[i / 4U];

        a += (uint32_t)patch[i] * weight(four, 8U * (i % 4U));
        b += (uint32_t)patch[i] * weight(four, (8U * (i % 4U)) + 4U);
    }
    sums[0] += a * (factor & 15U);
    sums[1] += (uint32_t)((int32_t)a >> 16) * (factor & 15U);
    sums[2] += b * (factor >> 4U);
    sums[3] += (uint32_t)((int32_t)b >> 16) * (factor >> 4U);
}

/* Sums of all channels: the bias, up to its end, and what a patch gives. */
static void add_products(const int32_t *weights, const int32_t *patch, int32_t *sums,
                         const int32_t *bias, const layer_t *layer)
{
    const uint8_t *factors = layer->factors;

    while (bias != layer->end) {
        const int32_t *next = patch;
        uint32_t both[4];

        for (size_t i = 0U; i < 4U; i++) {
            both[i] = (uint32_t)bias[i];
        }
        for (const uint8_t *run = layer->runs; *run != 0U; run = &run[1]) {
            const uint32_t fours = 8U - (((uint32_t)*run - 1U) / 34U);
            const uint32_t factor = (factors != NULL) ? factors[0] : 17U;

            add_run(weights, next, fours, factor, both);
            weights = &weights[fours];
            next = &next[4U * fours];
            factors = (factors != NULL) ? &factors[1] : NULL;
        }
        sums[0] = (int32_t)(both[0] - (both[1] << 16));
        sums[1] = (int32_t)both[1];
        sums[2] = (int32_t)(both[2] - (both[3] << 16));
        sums[3] = (int32_t)both[3];
        bias = &bias[4];
        sums = &sums[4];
    }
}

#endif

static inline void products(const conv_t *p, int32_t *patch, int32_t *sums, const int32_t *end)
{
    const layer_t layer = {end, p->runs, p->factors};

    for (uint32_t i = p->added; i > 0U; i--) {
        patch[p->taps - i] = 0;
    }
    add_products(p->packed, patch, sums, p->bias, &layer);
}

#define CHANNELS 2U

#include "mplan_conv2d_pairs_scalar.h"

MPLAN_KERNEL
void mplan_conv2d_w4_scalar(const mplan_conv2d_w4_scalar_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch)
{
    conv2d_pairs(p, in, out, y0, y1, scratch);
}
