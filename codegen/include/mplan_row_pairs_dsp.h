/* SPDX-License-Identifier: 0BSD */
/* mplan_row_pairs_dsp.h - rows of int8 in pairs, four channels at a time, as words of two int16. */
#ifndef MPLAN_ROW_PAIRS_DSP_H
#define MPLAN_ROW_PAIRS_DSP_H

#include <string.h>

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A plane is two rows, one below the other, of four channels: for each column four words, of each
 * channel its two elements, the upper one in the low half. Planes of a strip follow one another.
 */
#define MPLAN_PLANE_COLUMN (4U) /* words */

/* Where two output rows go. */
typedef struct {
    int8_t *out;    /* the upper one */
    uint32_t below; /* from it to the lower one; 0: there is none */
} mplan_place_t;

/* Where pairs of the output rows [y0, y1) go, at most `most`; returns how many there are. */
static inline size_t mplan_find_places(const mplan_rows_t *rows, int8_t *out, size_t y0, size_t y1,
                                       mplan_place_t *places, size_t most)
{
    size_t count = 0U;

    for (size_t y = y0; (y < y1) && (count < most); y += 2U) {
        int8_t *const to = &out[mplan_row(rows, y)];

        places[count].out = to;
        places[count].below = 0U;
        if ((y + 1U) < y1) {
            places[count].below = (uint32_t)(&out[mplan_row(rows, y + 1U)] - to);
        }
        count++;
    }
    return count;
}

/* A row of `count` elements is kept within its activation's limits. */
static inline void mplan_limit_row(int8_t *row, size_t count, int8_t least, int8_t most)
{
    if ((least > -128) || (most < 127)) {
        for (size_t i = 0U; i < count; i++) {
            row[i] = (int8_t)mplan_clamp(row[i], least, most);
        }
    }
}

/* The two rows of a plane: where they are, and from pixel to pixel; 0 where a row is padding. */
typedef struct {
    const int8_t *upper;
    size_t upper_step;
    const int8_t *lower;
    size_t lower_step;
} mplan_pair_t;

/* The input, and planes of some of its rows. */
typedef struct {
    const mplan_rows_t *rows;
    const int8_t *in;
    uint32_t height;  /* of the input */
    uint32_t width;   /* columns of it that are read, at least 1 */
    uint32_t channels;
    uint32_t columns; /* of a plane */
    uint32_t before;  /* of them before the input */
    int8_t padding[4];
} mplan_planes_t;

/* Two pixels of four channels in 20 cycles. */
#define MPLAN_PAIR_PIXELS                                                                          \
    "ldr.w r4, [r0]; ldr.w r5, [r1]; add.w r0, r0, r10; add.w r1, r1, r11\n"                       \
    "sxtb16 r6, r4; sxtb16 r7, r5; sxtb16 r8, r4, ror #8; sxtb16 r9, r5, ror #8\n"                 \
    "pkhbt r4, r6, r7, lsl #16; pkhbt r5, r8, r9, lsl #16\n"                                       \
    "pkhtb r6, r7, r6, asr #16; pkhtb r7, r9, r8, asr #16; stm r2!, {r4-r7}\n"

/* The channels c to c + 3 of all pairs up to `end`, as planes `gap` bytes apart. */
static MPLAN_NAKED void mplan_fill_planes(
    __attribute__((unused)) const mplan_pair_t *pairs,
    __attribute__((unused)) const mplan_pair_t *end, __attribute__((unused)) uint32_t *to,
    __attribute__((unused)) size_t c, __attribute__((unused)) size_t columns,
    __attribute__((unused)) size_t gap)
{
    __asm volatile("push {r0, r1, r3-r11, lr}\n"
                   "1:\n" /* two rows */
                   "ldr r0, [sp]; ldm r0!, {r4-r7}; str r0, [sp]; ldr r8, [sp, #8]\n"
                   "ldr r3, [sp, #48]; mov r0, r4; mov r1, r6; mov r10, r5; mov r11, r7\n"
                   "cmp r5, #0; it ne; addne r0, r0, r8; cmp r7, #0; it ne; addne r1, r1, r8\n"
                   "lsrs r3, r3, #1; it cs; addcs r3, r3, #1; bcs.w 3f\n"
                   ".balign 4\n2:\n" MPLAN_PAIR_PIXELS "3:\n" MPLAN_PAIR_PIXELS
                   "subs r3, r3, #1; bne 2b\n"
                   "ldr r0, [sp]; ldr r1, [sp, #4]; ldr r3, [sp, #52]; add r2, r2, r3\n"
                   "cmp r0, r1; bne 1b\n"
                   "pop {r0, r1, r3-r11, pc}\n");
}

/* The rows of `count` planes, from input row `y` on, which may lie above the input. */
static inline void mplan_find_pairs(const mplan_planes_t *p, mplan_pair_t *pairs, size_t count,
                                    int32_t y)
{
    for (size_t i = 0U; i < (2U * count); i++) {
        const int32_t row = y + (int32_t)i;
        const int inside = (row >= 0) && (row < (int32_t)p->height);
        const int8_t *const line = inside ? &p->in[mplan_row(p->rows, (size_t)row)] : p->padding;

        if ((i % 2U) == 0U) {
            pairs[i / 2U].upper = line;
            pairs[i / 2U].upper_step = inside ? p->channels : 0U;
        } else {
            pairs[i / 2U].lower = line;
            pairs[i / 2U].lower_step = inside ? p->channels : 0U;
        }
    }
}

/* Columns beside the input, of `count` planes: zero points, which stay when planes are filled. */
static inline void mplan_pad_planes(mplan_planes_t *p, uint32_t *planes, size_t count,
                                    int8_t zero_point)
{
    const uint32_t both = ((uint32_t)zero_point & 0xFFFFU) * 0x10001U;
    const size_t inside = (size_t)p->width * MPLAN_PLANE_COLUMN;
    const size_t outside = ((size_t)p->columns * MPLAN_PLANE_COLUMN) - inside;
    const size_t first = (size_t)p->before * MPLAN_PLANE_COLUMN;
    uint32_t *to = planes;

    (void)memset(p->padding, zero_point, sizeof p->padding);
    for (size_t i = 0U; i < count; i++) {
        for (size_t j = 0U; j < outside; j++) {
            to[(j < first) ? j : (j + inside)] = both;
        }
        to = &to[outside + inside];
    }
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ROW_PAIRS_DSP_H */
