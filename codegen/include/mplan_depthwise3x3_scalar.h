/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_depthwise3x3_scalar.h - depthwise 3x3 with a 32-bit multiply only, channel by channel.
 *
 * A kernel includes it behind depthwise_t, its parameters, value_t, what inputs, weights and
 * outputs are, and LOAD, which loads one in assembly. Places are counted in bytes there, else in
 * values.
 */
#ifndef MPLAN_DEPTHWISE3X3_SCALAR_H
#define MPLAN_DEPTHWISE3X3_SCALAR_H

#include "mplan.h"

/* A channel of an output row; the offsets stand in the assembly. */
typedef struct {
    const value_t *rows[3]; /*  0: input rows; instead of one outside some other, its taps are 0 */
    int32_t taps[9];        /* 12: column by column */
    int32_t bias;           /* 48: and what rows outside add */
    size_t apart;           /* 52: places from column to column of the input */
    size_t onward;          /* 56: from the last column of an output to the first of the next */
    uint32_t outside;       /* 60: bit y: row y lies outside the input */
} line_t;

#if defined(__ARM_ARCH_ISA_THUMB) && (__ARM_ARCH_ISA_THUMB == 1)

#define PLACES(count) ((count) * sizeof(value_t))

MPLAN_STATIC_ASSERT(line_as_in_assembly,
                    MPLAN_AT(line_t, rows, 0U) && MPLAN_AT(line_t, taps, 12U) &&
                    MPLAN_AT(line_t, bias, 48U) && MPLAN_AT(line_t, apart, 52U) &&
                    MPLAN_AT(line_t, onward, 56U) && MPLAN_AT(line_t, outside, 60U));

#define UNREAD __attribute__((unused))
#define TAP(row, place)                                                                            \
    LOAD " r5, [" row ", r4]; ldr r6, [r0, #" place "]; muls r6, r5, r6; adds r7, r7, r6\n"

/*
 * Sums of neighbouring outputs, [sums, end), whose columns lie inside the input; `at` is the first
 * column. 45 instructions for 9 multiply-accumulates.
 *
 * r0 line  r1, r2, r3 rows  r4 column  r5 an input  r6 a tap  r7 sum  r8 apart  r9 onward
 * r12 sums  lr end
 */
static MPLAN_NAKED void inner_sums(UNREAD const line_t *line,
                                   UNREAD size_t at,
                                   UNREAD int32_t *sums,
                                   UNREAD const int32_t *end)
{
    __asm volatile(".syntax unified\n"
                   "push {r4-r7, lr}\n"
                   "mov r4, r8; mov r5, r9; push {r4, r5}\n"
                   "mov r4, r1; mov r12, r2; mov lr, r3\n"
                   "ldr r1, [r0, #52]; mov r8, r1; ldr r1, [r0, #56]; mov r9, r1\n"
                   "ldr r1, [r0, #0]; ldr r2, [r0, #4]; ldr r3, [r0, #8]\n"
                   "1:\n"
                   "ldr r7, [r0, #48]\n" TAP("r1", "12") TAP("r2", "16") TAP("r3", "20")
                   "add r4, r8\n" TAP("r1", "24") TAP("r2", "28") TAP("r3", "32")
                   "add r4, r8\n" TAP("r1", "36") TAP("r2", "40") TAP("r3", "44")
                   "add r4, r9\n"
                   "mov r5, r12; stm r5!, {r7}; mov r12, r5; cmp r5, lr; bne 1b\n"
                   "pop {r4, r5}\n"
                   "mov r8, r4; mov r9, r5\n"
                   "pop {r4-r7, pc}\n");
}

#else

#define PLACES(count) ((size_t)(count))

/* Sums of neighbouring outputs, [sums, end), whose columns lie inside the input. */
static void inner_sums(const line_t *line, size_t at, int32_t *sums, const int32_t *end)
{
    const value_t *const row0 = line->rows[0];
    const value_t *const row1 = line->rows[1];
    const value_t *const row2 = line->rows[2];
    const int32_t *const taps = line->taps;

    while (sums != end) {
        int32_t sum = line->bias;

        sum += (row0[at] * taps[0]) + (row1[at] * taps[1]) + (row2[at] * taps[2]);
        at += line->apart;
        sum += (row0[at] * taps[3]) + (row1[at] * taps[4]) + (row2[at] * taps[5]);
        at += line->apart;
        sum += (row0[at] * taps[6]) + (row1[at] * taps[7]) + (row2[at] * taps[8]);
        at += line->onward;
        *sums = sum;
        sums = &sums[1];
    }
}

#endif

/* Sum of an output of channel `c` that begins at column x and reaches beyond the input. */
static int32_t border_sum(const depthwise_t *p, const line_t *line, int32_t x, size_t c)
{
    int32_t sum = line->bias;

    for (size_t i = 0U; i < 9U; i += 3U) {
        const int32_t *const taps = &line->taps[i];

        if ((x >= 0) && (x < (int32_t)p->in_w)) {
            const size_t at = ((size_t)x * p->channels) + c;

            sum += (line->rows[0][at] * taps[0]) + (line->rows[1][at] * taps[1]) +
                   (line->rows[2][at] * taps[2]);
        } else {
            sum += p->in_zero_point * (taps[0] + taps[1] + taps[2]);
        }
        x++;
    }
    return sum;
}

/* Where the three rows of an output row are. */
static void find_rows(const depthwise_t *p, const int8_t *in, line_t *line, size_t y)
{
    const int32_t first = (int32_t)(y * p->stride_h) - (int32_t)p->pad_top;

    line->outside = 0U;
    for (size_t i = 0U; i < 3U; i++) {
        const int32_t wanted = first + (int32_t)i;
        const int32_t row = mplan_clamp(wanted, 0, (int32_t)p->in_h - 1);

        line->rows[i] = (const value_t *)(const void *)&in[mplan_row(&p->in_rows, (size_t)row)];
        line->outside |= (wanted != row) ? (1U << i) : 0U;
    }
}

/* Taps and bias of a channel. */
static void take_taps(const depthwise_t *p, line_t *line, size_t c)
{
    const value_t *const weights = &p->packed[9U * c];

    line->bias = p->bias[c];
    line->taps[0] = weights[0]; /* a loop takes twice as long */
    line->taps[1] = weights[1];
    line->taps[2] = weights[2];
    line->taps[3] = weights[3];
    line->taps[4] = weights[4];
    line->taps[5] = weights[5];
    line->taps[6] = weights[6];
    line->taps[7] = weights[7];
    line->taps[8] = weights[8];
    for (size_t i = 0U; (line->outside != 0U) && (i < 9U); i++) {
        if (((line->outside >> (i % 3U)) & 1U) != 0U) {
            line->bias += p->in_zero_point * line->taps[i];
            line->taps[i] = 0;
        }
    }
}

/* Sums of one channel to its outputs. */
static void finish(const depthwise_t *p, const int32_t *sums, int32_t multiplier, value_t *out)
{
    const int32_t *const end = &sums[p->out_w];
    const int32_t zero_point = p->out_zero_point;
    const int32_t act_min = p->act_min;
    const int32_t act_max = p->act_max;
    const size_t apart = p->channels;

    for (; sums != end; sums = &sums[1]) {
        const int32_t value = mplan_scale_30(*sums, multiplier) + zero_point;

        *out = (value_t)mplan_clamp(value, act_min, act_max);
        out = &out[apart];
    }
}

#endif /* MPLAN_DEPTHWISE3X3_SCALAR_H */
