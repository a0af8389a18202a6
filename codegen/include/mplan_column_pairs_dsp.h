/* SPDX-License-Identifier: 0BSD */
/* mplan_column_pairs_dsp.h - columns of int8 in pairs, four channels at a time, as int16. */
#ifndef MPLAN_COLUMN_PAIRS_DSP_H
#define MPLAN_COLUMN_PAIRS_DSP_H

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
    uint16_t pairs;         /* of columns of a line */
    uint16_t channel_bytes; /* of packed */
    uint8_t tap_bytes;      /* of packed, of a row of weights */
    uint8_t kernel;
    uint8_t stride;
    uint8_t pad_top; /* less than the kernel */
    uint8_t before;  /* columns of a line before the first one of the input */
    uint8_t block;   /* outputs side by side that are made at a time */
    uint8_t body;    /* what makes them: told by the kernel */
    uint8_t ahead;   /* pairs from one to the next, stride 1 */
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_column_pairs_dsp_t;

/*
 * A line is one row of four channels, less the zero point: of each two columns and channel a word,
 * the left one in the low half; the words of the four channels lie side by side. Columns beside
 * the input are 0. Assembly has these numbers.
 */
#define MPLAN_PAIR_BYTES (16U) /* of a line */

/* What assembly needs. */
typedef struct {
    int32_t zero_point;            /*  0: of the output */
    uint32_t channels;             /*  4 */
    const void *places;            /*  8: told by the kernel */
    const void *places_end;        /* 12 */
    const int32_t *packed;         /* 16 */
    uint32_t channel_bytes;        /* 20: of it */
    uint32_t last_four;            /* 24: channels but four */
    const int8_t *const *rows;     /* 28: of the input */
    const int8_t *const *rows_end; /* 32 */
    uint32_t *filled;              /* 36: first pair that is not beside the input */
    uint32_t *lines;               /* 40 */
    uint32_t line_bytes;           /* 44 */
    uint32_t minus_zero_point;     /* 48: of the input, twice as int16 */
    uint32_t zero_points;          /* 52: four of the input */
    uint32_t whole;                /* 56: pairs of two columns inside, at least 1 */
    uint32_t halves;               /* 60: bit 0: one is alone before them, bit 1: behind them */
} mplan_column_lines_t;
#define MPLAN_LINES_AT(member, offset) MPLAN_AT(mplan_column_lines_t, member, offset)
MPLAN_STATIC_ASSERT(mplan_column_lines_as_in_assembly,
                    MPLAN_LINES_AT(places, 8U) && MPLAN_LINES_AT(packed, 16U) &&
                        MPLAN_LINES_AT(last_four, 24U) && MPLAN_LINES_AT(rows, 28U) &&
                        MPLAN_LINES_AT(filled, 36U) && MPLAN_LINES_AT(line_bytes, 44U) &&
                        MPLAN_LINES_AT(whole, 56U) && MPLAN_LINES_AT(halves, 60U) &&
                        (sizeof(mplan_column_lines_t) == 64U));

/* The words of four channels of two columns, r4 and r5, go to r2: 11 cycles. */
#define MPLAN_PAIR                                                                                 \
    "pkhbt r8, r4, r5, lsl #16; pkhtb r9, r5, r4, asr #16; sxtab16 r4, r11, r8\n"                  \
    "sxtab16 r5, r11, r8, ror #8; sxtab16 r8, r11, r9; sxtab16 r9, r11, r9, ror #8\n"              \
    "stm.w r2!, {r4, r5, r8, r9}\n"

/*
 * The frame of such assembly: 0 multiplier, 4 zero point of the output, 8 bytes from column to
 * column of it, 12 bias, 16 first line and 20 packed of the channel, 24 and 28 its own, 32 number
 * of the channel, 36 the one behind the four, 40 the lines, what follows its own.
 *
 * The next four channels, those before the last ones too where fewer are left: fills their lines.
 */
#define MPLAN_FILL_LINES                                                                           \
    "ldr.w r12, [sp, #40]; ldr r7, [sp, #32]; ldr.w r2, [r12, #24]; cmp r2, r7; it hi\n"           \
    "movhi r2, r7; adds r3, r2, #4; subs r2, r7, r2; str r3, [sp, #36]; ldr.w r4, [r12, #16]\n"    \
    "ldr.w r5, [r12, #20]; ldr.w r6, [r12, #40]; ldr.w r10, [r12, #4]; ldr.w r11, [r12, #48]\n"    \
    "ldr.w r1, [r12, #28]; ldr.w lr, [r12, #36]; mla r4, r7, r5, r4; add r6, r6, r2, lsl #2\n"     \
    "str r4, [sp, #20]; str r6, [sp, #16]\n"                                                       \
    "1:\n" /* a line */                                                                            \
    "ldr r0, [r1], #4; ldr r3, [sp, #36]; ldr.w r6, [r12, #60]; ldr.w r7, [r12, #56]\n"            \
    "subs r3, r3, #4; mov r2, lr; add r0, r0, r3; lsrs r6, r6, #1; bcc 2f\n"                       \
    "ldr.w r4, [r12, #52]; ldr r5, [r0]; add r0, r0, r10\n" MPLAN_PAIR ".balign 4\n2:\n"           \
    "ldr r4, [r0]; ldr.w r5, [r0, r10]; add.w r0, r0, r10, lsl #1\n" MPLAN_PAIR                    \
    "subs r7, r7, #1; bne 2b\n"                                                                    \
    "cbz r6, 3f; ldr r4, [r0]; ldr.w r5, [r12, #52]\n" MPLAN_PAIR "3:\n"                           \
    "ldr.w r2, [r12, #32]; ldr.w r3, [r12, #44]; cmp r1, r2; add lr, lr, r3; bne.w 1b\n"

/* The next channel of the four, at 5; then the next four, at 0. */
#define MPLAN_NEXT_OF_LINES                                                                        \
    "ldr.w r12, [sp, #40]; ldr r0, [sp, #32]; ldr r1, [sp, #16]; ldr r2, [sp, #20]\n"              \
    "ldr.w r3, [r12, #20]; ldr r4, [sp, #36]; adds r0, r0, #1; adds r1, r1, #4; adds r2, r2, r3\n" \
    "str r0, [sp, #32]; str r1, [sp, #16]; str r2, [sp, #20]; cmp r0, r4\n"                        \
    "bne.w 5b\n"                                                                                   \
    "ldr.w r2, [r12, #24]; adds r2, r2, #4; cmp r0, r2; bne.w 0b\n"

/*
 * Lines of input rows [first, end), between `above` and `below` lines of zeros; `memory` takes
 * where the rows are, then the lines.
 */
static inline void mplan_find_lines(const mplan_column_pairs_dsp_t *p, mplan_column_lines_t *lines,
                                    void *memory, const int8_t *in, int32_t first, int32_t end,
                                    int32_t above, int32_t below)
{
    const uint32_t zero_point = (uint32_t)p->in_zero_point & 0xFFU;
    const uint32_t minus = (uint32_t)(-(int32_t)p->in_zero_point) & 0xFFFFU;
    const uint32_t alone = p->before % 2U;
    const uint32_t count = (uint32_t)((end - first) + above + below);
    const int8_t **rows = (const int8_t **)memory;
    int8_t *filled;

    lines->rows = rows;
    for (int32_t row = first; row < end; row++) {
        *rows = &in[mplan_row(&p->in_rows, (size_t)row)];
        rows++;
    }
    lines->rows_end = rows;
    lines->lines = (uint32_t *)(void *)rows;
    lines->line_bytes = p->pairs * MPLAN_PAIR_BYTES;
    (void)memset(lines->lines, 0, (size_t)count * lines->line_bytes);
    filled = (int8_t *)(void *)rows;
    filled = &filled[((uint32_t)above * lines->line_bytes) + (p->before / 2U * MPLAN_PAIR_BYTES)];
    lines->filled = (uint32_t *)(void *)filled;
    lines->zero_point = p->out_zero_point;
    lines->channels = p->channels;
    lines->packed = p->packed;
    lines->channel_bytes = p->channel_bytes;
    lines->last_four = (uint32_t)p->channels - 4U;
    lines->minus_zero_point = minus | (minus << 16);
    lines->zero_points = zero_point * 0x01010101U;
    lines->whole = ((uint32_t)p->in_w - alone) / 2U;
    lines->halves = alone | ((((uint32_t)p->in_w - alone) % 2U) << 1);
}

/* Output rows [y0, y1) within the limits of their activation. */
static inline void mplan_limit_columns(const mplan_column_pairs_dsp_t *p, int8_t *out, size_t y0,
                                       size_t y1)
{
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

#endif /* MPLAN_COLUMN_PAIRS_DSP_H */
