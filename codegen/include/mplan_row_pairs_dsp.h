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

/* A depthwise layer, kernel and stride the same both ways; `packed` is told by its kernel. */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels; /* at least 4 */
    uint16_t out_w;
    uint8_t kernel;
    uint8_t stride;   /* 1 or 2 */
    uint8_t pad_top;  /* less than the kernel, as the next */
    uint8_t pad_left; /* bottom and right by the sizes */
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_row_pairs_dsp_t;

/*
 * A plane is two rows, one below the other, of four channels: of each column and channel a word of
 * its two elements, the upper one in the low half. A strip is planes of rows that follow one
 * another: column after column, in each the four words of every plane. Assembly has these numbers.
 */
#define MPLAN_STRIP_PLANES (7U)
#define MPLAN_PLANE_BYTES (16U)   /* of a column */
#define MPLAN_COLUMN_BYTES (112U) /* of a strip */

/* Where two output rows go. */
typedef struct {
    int8_t *out;    /* the upper one */
    uint32_t below; /* from it to the lower one; 0: there is none */
} mplan_place_t;

/* The two rows of a plane: where they are, and from pixel to pixel; 0 where a row is padding. */
typedef struct {
    const int8_t *row[2];
    uint32_t step[2];
} mplan_pair_t;

/* What assembly that makes a strip needs: it copies members to its frame, from the first on. */
typedef struct {
    int32_t zero_point;             /*  0: of the output */
    uint32_t apart;                 /*  4: bytes from column to column of the output */
    uint32_t span;                  /*  8: of the blocks of a row, in bytes of the strip */
    const mplan_place_t *places;    /* 12 */
    const mplan_place_t *place_end; /* 16 */
    uint32_t back;                  /* 20: bytes back, from where a row or block ends to the next */
    uint32_t body;                  /* 24: which kernel and stride; then the address to enter */
    uint32_t rest;                  /* 28: what follows the blocks of a row */
    uint32_t advance;               /* 32: bytes from row to row of the strip */
    uint32_t out_shift;             /* 36: bytes that the last block goes before those before it */
    uint32_t block;                 /* 40: bytes */
    uint32_t weights_bytes;         /* 44: of a channel */
    const uint32_t *planes;         /* 48 */
    const mplan_pair_t *pairs;      /* 52 */
    const mplan_pair_t *pairs_end;  /* 56 */
    uint32_t *filled;               /* 60: first column that is inside the input */
    uint32_t width;                 /* 64: columns inside, at least 1 */
    uint32_t last_four;             /* 68: channels but four */
    const int32_t *packed;          /* 72 */
    uint32_t channel_bytes;         /* 76: of it */
    mplan_place_t place[MPLAN_STRIP_PLANES - 1U];
    mplan_pair_t pair[MPLAN_STRIP_PLANES];
    int8_t padding[4];
} mplan_strip_t;
MPLAN_STATIC_ASSERT(mplan_strip_as_in_assembly,
                    MPLAN_AT(mplan_strip_t, span, 8U) && MPLAN_AT(mplan_strip_t, back, 20U) &&
                        MPLAN_AT(mplan_strip_t, advance, 32U) &&
                        MPLAN_AT(mplan_strip_t, planes, 48U) &&
                        MPLAN_AT(mplan_strip_t, filled, 60U) &&
                        MPLAN_AT(mplan_strip_t, channel_bytes, 76U) &&
                        (sizeof(mplan_pair_t) == 16U) &&
                        (MPLAN_COLUMN_BYTES == (MPLAN_STRIP_PLANES * MPLAN_PLANE_BYTES)));

/*
 * The frame of such assembly: 0 multiplier and 4 bias of the channel, 8 below, 12 end of the row's
 * blocks, 16 next place, 20 number of the channel, 24 packed and 28 first plane of the next one, 32
 * the channel behind the four, 36 the strip, from 40 on what is copied of it.
 *
 * A column of a plane, of its rows' words r4, r5 or r6, r7: 10 cycles.
 */
#define MPLAN_COLUMN(upper, lower, at0, at1, at2, at3)                                             \
    "pkhbt r8, " upper ", " lower ", lsl #16; pkhtb r9, " lower ", " upper ", asr #16\n"           \
    "sxtb16 " upper ", r8; sxtb16 " lower ", r8, ror #8; str " upper ", [r2, #" at0 "]\n"          \
    "str " lower ", [r2, #" at1 "]; sxtb16 " upper ", r9; sxtb16 " lower ", r9, ror #8\n"          \
    "str " upper ", [r2, #" at2 "]; str " lower ", [r2, #" at3 "]\n"

/* The next four channels, those before the last ones too where fewer are left: fills the planes of
 * a strip. */
#define MPLAN_FILL_STRIP                                                                           \
    "ldr.w r12, [sp, #36]; ldr r7, [sp, #20]; ldr.w r2, [r12, #68]; cmp r2, r7; it hi\n"           \
    "movhi r2, r7; adds r3, r2, #4; subs r2, r7, r2; str r3, [sp, #32]; ldr.w r4, [r12, #72]\n"    \
    "ldr.w r5, [r12, #76]; ldr.w r6, [r12, #48]; ldr.w lr, [r12, #60]; ldr.w r12, [r12, #52]\n"    \
    "mla r4, r7, r5, r4; add r6, r6, r2, lsl #2; str r4, [sp, #24]; str r6, [sp, #28]\n"           \
    "1:\n" /* two rows */                                                                          \
    "ldm r12!, {r0, r1, r10, r11}; ldr r3, [sp, #32]; mov r2, lr; add lr, lr, #16; subs r3, #4\n"  \
    "cmp r10, #0; it ne; addne r0, r0, r3; cmp r11, #0; it ne; addne r1, r1, r3\n"                 \
    "ldr r3, [sp, #36]; ldr r3, [r3, #64]; lsrs r3, r3, #1; bcc 2f\n"                              \
    "ldr r4, [r0]; ldr r5, [r1]; add r0, r0, r10; add r1, r1, r11\n" MPLAN_COLUMN(                 \
        "r4", "r5", "0", "4", "8", "12") "adds r2, #112; cmp r3, #0; beq 3f\n"                     \
    ".balign 4\n2:\n"                                                                              \
    "ldr r4, [r0]; ldr r5, [r1]; ldr.w r6, [r0, r10]; ldr.w r7, [r1, r11]\n"                       \
    "add.w r0, r0, r10, lsl #1; add.w r1, r1, r11, lsl #1\n" MPLAN_COLUMN(                         \
        "r4", "r5", "0", "4", "8", "12") MPLAN_COLUMN("r6", "r7", "112", "116", "120", "124")      \
    "adds r2, #224; subs r3, r3, #1; bne 2b\n"                                                     \
    "3:\n"                                                                                         \
    "ldr r2, [sp, #36]; ldr r2, [r2, #56]; cmp r12, r2; bne.w 1b\n"

/* The next channel of the four, at 5; then the next four, at 0. */
#define MPLAN_NEXT_CHANNEL                                                                         \
    "ldr r0, [sp, #20]; ldr r2, [sp, #32]; adds r0, r0, #1; str r0, [sp, #20]; cmp r0, r2\n"       \
    "bne.w 5b\n"                                                                                   \
    "ldr r2, [sp, #36]; ldr r2, [r2, #68]; adds r2, r2, #4; cmp r0, r2; bne.w 0b\n"

/* Pairs of input rows that two output rows see. */
static inline uint32_t mplan_pairs_seen(const mplan_row_pairs_dsp_t *p)
{
    return ((uint32_t)p->kernel + p->stride + 1U) / 2U;
}

/* The rows [y, y1) go to places; returns how many of them, as pairs. */
static inline size_t mplan_find_places(const mplan_row_pairs_dsp_t *p, mplan_strip_t *strip,
                                       int8_t *out, size_t y, size_t y1)
{
    const size_t most = 1U + ((MPLAN_STRIP_PLANES - mplan_pairs_seen(p)) / p->stride);
    size_t count = 0U;

    for (size_t row = y; (row < y1) && (count < most); row += 2U) {
        int8_t *const to = &out[mplan_row(&p->out_rows, row)];

        strip->place[count].out = to;
        strip->place[count].below = 0U;
        if ((row + 1U) < y1) {
            strip->place[count].below = (uint32_t)(&out[mplan_row(&p->out_rows, row + 1U)] - to);
        }
        count++;
    }
    strip->place_end = &strip->place[count];
    return count;
}

/* The rows of as many planes, from input row `y` on, which may lie above the input. */
static inline void mplan_find_pairs(const mplan_row_pairs_dsp_t *p, mplan_strip_t *strip,
                                    const int8_t *in, size_t count, int32_t y)
{
    for (size_t i = 0U; i < (2U * count); i++) {
        const int32_t row = y + (int32_t)i;
        mplan_pair_t *const pair = &strip->pair[i / 2U];

        pair->row[i % 2U] = strip->padding;
        pair->step[i % 2U] = 0U;
        if ((row >= 0) && (row < (int32_t)p->in_h)) {
            pair->row[i % 2U] = &in[mplan_row(&p->in_rows, (size_t)row)];
            pair->step[i % 2U] = p->channels;
        }
    }
    strip->pairs_end = &strip->pair[count];
}

/* What of a strip is the same for all. Columns beside the input are filled: they stay. */
static inline mplan_strip_t *mplan_begin_strips(const mplan_row_pairs_dsp_t *p, int8_t *scratch)
{
    const uint32_t columns = (((uint32_t)p->out_w - 1U) * p->stride) + p->kernel;
    const uint32_t words = MPLAN_COLUMN_BYTES / (uint32_t)sizeof(uint32_t);
    const uint32_t both = ((uint32_t)p->in_zero_point & 0xFFFFU) * 0x10001U;
    mplan_strip_t *const strip = (mplan_strip_t *)(void *)scratch;
    uint32_t *const planes = (uint32_t *)(void *)&strip[1];
    const uint32_t first = p->pad_left * words;
    uint32_t inside;

    strip->width = columns - p->pad_left;
    if (strip->width > p->in_w) {
        strip->width = p->in_w;
    }
    inside = strip->width * words;
    for (size_t i = 0U; i < ((columns * words) - inside); i++) {
        planes[(i < first) ? i : (i + inside)] = both;
    }
    (void)memset(strip->padding, p->in_zero_point, sizeof strip->padding);
    strip->zero_point = p->out_zero_point;
    strip->apart = p->channels;
    strip->advance = MPLAN_PLANE_BYTES * p->stride;
    strip->places = strip->place;
    strip->pairs = strip->pair;
    strip->planes = planes;
    strip->filled = &planes[first];
    strip->last_four = (uint32_t)p->channels - 4U;
    strip->packed = p->packed;
    return strip;
}

/* Output rows [y0, y1), strip after strip. */
static inline void mplan_make_strips(const mplan_row_pairs_dsp_t *p, mplan_strip_t *strip,
                                     void (*make)(const mplan_strip_t *), const int8_t *in,
                                     int8_t *out, size_t y0, size_t y1)
{
    size_t count = 0U;

    for (size_t y = y0; y < y1; y += 2U * count) {
        count = mplan_find_places(p, strip, out, y, y1);
        mplan_find_pairs(p, strip, in, ((count - 1U) * p->stride) + mplan_pairs_seen(p),
                         ((int32_t)y * (int32_t)p->stride) - (int32_t)p->pad_top);
        make(strip);
    }
    if ((p->act_min > -128) || (p->act_max < 127)) {
        for (size_t y = y0; y < y1; y++) {
            int8_t *const row = &out[mplan_row(&p->out_rows, y)];

            for (size_t i = 0U; i < ((size_t)p->out_w * p->channels); i++) {
                row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
            }
        }
    }
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ROW_PAIRS_DSP_H */
