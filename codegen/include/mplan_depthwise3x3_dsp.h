/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise3x3_dsp.h - depthwise 3x3, for weights of either type. */
#ifndef MPLAN_DEPTHWISE3X3_DSP_H
#define MPLAN_DEPTHWISE3X3_DSP_H

#include "mplan_depthwise3x3_s8_dsp.h"

/* What a row function needs, copied to its stack frame: the offsets stand in the assembly. */
typedef struct {
    const int8_t *row0; /*  0: ends of the three input rows */
    const int8_t *row1; /*  4 */
    const int8_t *row2; /*  8 */
    int8_t *out;        /* 12: where an output goes, from where its last column is */
    int32_t bias;       /* 16: of the channel */
    int32_t zero_point; /* 20: of the output */
    uint32_t border;    /* 24: input zero point, twice as int16 */
    uint32_t span;      /* 28: 1 - in_w * channels; in_w * channels / 2 for stride 2 */
    const int32_t *packed; /* 32: of the next channel */
    const int32_t *end;    /* 36: of the packed channels */
    uint32_t apart;        /* 40: from column to column: channels, half of it for stride 2 */
    uint32_t special;      /* 44: bits below */
    int32_t multiplier;    /* 48: of the channel, for stride 2 */
} row_t;
MPLAN_STATIC_ASSERT(row_as_in_assembly,
                    MPLAN_AT(row_t, row0, 0U) && MPLAN_AT(row_t, row1, 4U) &&
                    MPLAN_AT(row_t, row2, 8U) && MPLAN_AT(row_t, out, 12U) &&
                    MPLAN_AT(row_t, bias, 16U) && MPLAN_AT(row_t, zero_point, 20U) &&
                    MPLAN_AT(row_t, border, 24U) && MPLAN_AT(row_t, span, 28U) &&
                    MPLAN_AT(row_t, packed, 32U) && MPLAN_AT(row_t, end, 36U) &&
                    MPLAN_AT(row_t, apart, 40U) && MPLAN_AT(row_t, special, 44U) &&
                    MPLAN_AT(row_t, multiplier, 48U) && (sizeof(row_t) == 52U));

#define NO_ROW0 (1U)
#define NO_ROW2 (2U)
#define NO_LEFT (4U)  /* no padding before the first column */
#define NO_RIGHT (8U) /* no output ends in the padding */

/* Registers: r4 {w00, w10}  r5 {w01, w11}  r6 {w02, w12}  r7 {w20, w21}  r8 {w22}
 *            r2 rows 0 and 1 of a column  r12 its row 2 */

#define ENTER                                                                                      \
    "push {r4-r11, lr}\n"                                                                          \
    "sub sp, #52; ldmia r0!, {r1-r7}; stmia sp, {r1-r7}; add r8, sp, #28\n"                        \
    "ldmia r0, {r1-r6}\n"                                                                          \
    "stmia r8, {r1-r6}\n"

#define LEAVE                                                                                      \
    "add sp, #52\n"                                                                                \
    "pop {r4-r11, pc}\n"

/* Weights of a row outside the input: their share goes to the bias, then they are 0. */
#define MISSING_ROWS(done)                                                                         \
    "tst r3, #1; beq 7f\n"                                                                         \
    "smlabb r9, r4, r12, r9; smlabb r9, r5, r12, r9; smlabb r9, r6, r12, r9; bfc r4, #0, #16\n"    \
    "bfc r5, #0, #16\n"                                                                            \
    "bfc r6, #0, #16\n"                                                                            \
    "7:\n"                                                                                         \
    "tst r3, #2\n"                                                                                 \
    "beq.w " done "\n"                                                                             \
    "smlad r9, r7, r12, r9; smlabb r9, r8, r12, r9; mov r7, #0; mov r8, #0\n"                      \
    "b.w " done "\n"

/* Stride 1: one column, 8 cycles and one: rows 0 and 1 to r2, row 2 to r12, bias to `sum`. */
#define COLUMN(sum)                                                                                \
    "ldr r2, [sp, #0]; ldr r3, [sp, #4]; ldr r12, [sp, #8]\n"                                      \
    "ldr " sum ", [sp, #16]\n"                                                                     \
    "ldrsb r2, [r2, r0]; ldrsb r3, [r3, r0]; ldrsb r12, [r12, r0]\n"                               \
    "pkhbt r2, r2, r3, lsl #16\n"

/* Stride 1: a column is the last of an output, the middle of the next, the first of a third. */
#define STEP(last, middle, first)                                                                  \
    COLUMN(first)                                                                                  \
    "smlad " last ", r2, r6, " last "\n"                                                           \
    "smlad " middle ", r2, r5, " middle "\n"                                                       \
    "smlad " first ", r2, r4, " first "\n"                                                         \
    "smlabb " last ", r12, r8, " last "\n"                                                         \
    "smlabt " middle ", r12, r7, " middle "\n"                                                     \
    "smlabb " first ", r12, r7, " first "\n"                                                       \
    "ldr r3, [sp, #12]; ldr r12, [sp, #20]\n"                                                      \
    "smmlar " last ", " last ", lr, r12\n"                                                         \
    "ssat " last ", #8, " last "\n"                                                                \
    "strb " last ", [r3, r0]\n"                                                                    \
    "adds r0, r0, r1\n"

/* Stride 1: the column behind the last one, then the next channel or the end of the row. */
#define FINISH(last)                                                                               \
    "ldr r2, [sp, #24]; ldr r3, [sp, #12]; ldr r12, [sp, #20]\n"                                   \
    "smlad " last ", r2, r6, " last "\n"                                                           \
    "smlabb " last ", r2, r8, " last "\n"                                                          \
    "smmlar " last ", " last ", lr, r12\n"                                                         \
    "ssat " last ", #8, " last "\n"                                                                \
    "strb " last ", [r3, r0]\n"                                                                    \
    "ldr r3, [sp, #28]; ldr r2, [sp, #32]; ldr r12, [sp, #36]; add r0, r0, r3\n"                   \
    "cmp r2, r12\n"                                                                                \
    "bne.w 1b\n" LEAVE

/*
 * One output row, stride 1, channel by channel. Each column is read once: 3 loads of bytes, one
 * packing, 6 multiplies for 9 multiply-accumulates. The three sums under way change their
 * registers from column to column. r0 is the distance to the row ends (below 0 inside).
 */
static MPLAN_NAKED void row_stride1(
    __attribute__((unused)) const row_t *row)
{
    __asm volatile(ENTER "ldr r0, [sp, #28]\n"
                         "ldr r1, [sp, #40]; sub r0, r0, #1; ldr r2, [sp, #32]\n"
                         "1:\n"
                         "ldr r3, [sp, #44]; ldr r12, [sp, #24]; ldmia r2!, {r4-r9, lr}\n"
                         "str r2, [sp, #32]; cmp r3, #0; bne.w 10f\n"
                         "2:\n" /* the column before the first */
                         "str r9, [sp, #16]; smlad r9, r12, r4, r9\n"
                         "smlabb r9, r12, r7, r9\n" COLUMN("r10")
                         "smlad r9, r2, r5, r9; smlabt r9, r12, r7, r9; smlad r10, r2, r4, r10\n"
                         "smlabb r10, r12, r7, r10; adds r0, r0, r1\n"
                         "4:\n" STEP("r9", "r10", "r11")
                         "bpl 8f\n" STEP("r10", "r11", "r9")
                         "bpl 9f\n" STEP("r11", "r9", "r10")
                         "bmi.w 4b\n" FINISH("r9")
                         "8:\n" FINISH("r10")
                         "9:\n" FINISH("r11")
                         "10:\n" MISSING_ROWS("2b"));
}

/* Stride 2: bytes of a column, at twice the distance r0. */
#define BYTES                                                                                      \
    "ldrsb r2, [r1, r0, lsl #1]; ldrsb r3, [r11, r0, lsl #1]\n"                                    \
    "ldrsb r12, [lr, r0, lsl #1]\n"

/* Stride 2: a column that only `sum` sees, in its middle. `first` lends its register. */
#define MIDDLE(sum, first, done)                                                                   \
    "ldr " first ", [sp, #40]\n"                                                                   \
    "adds r0, r0, " first "\n"                                                                     \
    "bpl " done "\n" BYTES "pkhbt r2, r2, r3, lsl #16\n"                                           \
    "adds r0, r0, " first "\n"                                                                     \
    "smlad " sum ", r2, r5, " sum "\n"                                                             \
    "smlabt " sum ", r12, r7, " sum "\n"

/* Stride 2: a column that is the last of an output and the first of the next. */
#define SHARED(last, first)                                                                        \
    BYTES                                                                                          \
    "ldr " first ", [sp, #16]\n"                                                                   \
    "pkhbt r2, r2, r3, lsl #16\n"                                                                  \
    "smlad " last ", r2, r6, " last "\n"                                                           \
    "smlabb " last ", r12, r8, " last "\n"                                                         \
    "smlad " first ", r2, r4, " first "\n"                                                         \
    "smlabb " first ", r12, r7, " first "\n"                                                       \
    "ldr r2, [sp, #48]; ldr r12, [sp, #20]; ldr r3, [sp, #12]\n"                                   \
    "smmlar " last ", " last ", r2, r12\n"                                                         \
    "ssat " last ", #8, " last "\n"                                                                \
    "strb " last ", [r3, r0]\n"

/*
 * One output row, stride 2, channel by channel. Every other column is shared by two outputs. r0
 * counts half the distance to the row ends: an output lies half as far from its end.
 */
static MPLAN_NAKED void row_stride2(
    __attribute__((unused)) const row_t *row)
{
    __asm volatile(ENTER "ldr r1, [sp, #0]\n"
                         "ldr r11, [sp, #4]; ldr lr, [sp, #8]\n"
                         "1:\n"
                         "ldr r2, [sp, #32]; ldr r0, [sp, #28]; ldr r3, [sp, #44]\n"
                         "ldr r12, [sp, #24]; rsb r0, r0, #0; ldmia r2!, {r4-r10}\n"
                         "str r2, [sp, #32]; str r10, [sp, #48]; cmp r3, #0; bne.w 10f\n"
                         "2:\n"
                         "tst r3, #4; str r9, [sp, #16]; bne 3f\n"
                         "ldr r10, [sp, #40]\n" /* the column before the first */
                         "smlad r9, r12, r4, r9; smlabb r9, r12, r7, r9; sub r0, r0, r10; b 4f\n"
                         "3:\n" BYTES "pkhbt r2, r2, r3, lsl #16\n"
                         "smlad r9, r2, r4, r9; smlabb r9, r12, r7, r9\n"
                         "4:\n" MIDDLE("r9", "r10", "7f")
                         "bpl 5f\n" SHARED("r9", "r10") MIDDLE("r10", "r9", "7f")
                         "bpl 8f\n" SHARED("r10", "r9")
                         "b 4b\n"
                         "8:\n"
                         "mov r9, r10\n"
                         "5:\n" /* the column behind the last */
                         "ldr r2, [sp, #44]; tst r2, #8; bne 7f\n"
                         "ldr r2, [sp, #24]; ldr r3, [sp, #12]; ldr r12, [sp, #20]\n"
                         "ldr r10, [sp, #48]; smlad r9, r2, r6, r9; smlabb r9, r2, r8, r9\n"
                         "smmlar r9, r9, r10, r12; ssat r9, #8, r9; strb r9, [r3, r0]\n"
                         "7:\n" /* next channel */
                         "ldr r2, [sp, #12]; ldr r3, [sp, #32]; ldr r12, [sp, #36]\n"
                         "add r2, r2, #1; str r2, [sp, #12]; add r1, r1, #1; add r11, r11, #1\n"
                         "add lr, lr, #1; cmp r3, r12\n"
                         "bne.w 1b\n" LEAVE
                         "10:\n" MISSING_ROWS("2b"));
}

static void limit(const mplan_depthwise3x3_s8_dsp_t *p, int8_t *out)
{
    if ((p->act_min > -128) || (p->act_max < 127)) {
        for (size_t i = 0U; i < ((size_t)p->out_w * p->channels); i++) {
            out[i] = (int8_t)mplan_clamp(out[i], p->act_min, p->act_max);
        }
    }
}

/* Ends of the three input rows; a row outside is replaced by the middle one and marked. */
static uint32_t find_rows(const mplan_depthwise3x3_s8_dsp_t *p, row_t *row, const int8_t *in,
                          size_t y)
{
    const size_t middle = ((y * p->stride) + 1U) - p->pad_top;
    const size_t bytes = (size_t)p->in_w * p->channels;
    uint32_t special = 0U;

    row->row1 = &in[mplan_row(&p->in_rows, middle) + bytes];
    row->row0 = row->row1;
    row->row2 = row->row1;
    if (middle > 0U) {
        row->row0 = &in[mplan_row(&p->in_rows, middle - 1U) + bytes];
    } else {
        special = NO_ROW0;
    }
    if ((middle + 1U) < p->in_h) {
        row->row2 = &in[mplan_row(&p->in_rows, middle + 1U) + bytes];
    } else {
        special |= NO_ROW2;
    }
    return special;
}

/* Output rows [y0, y1). */
static inline void mplan_depthwise3x3(const mplan_depthwise3x3_s8_dsp_t *p, const int8_t *in,
                                      int8_t *out, size_t y0, size_t y1)
{
    const size_t last = ((((size_t)p->out_w - 1U) * p->stride) + 2U) - p->pad_left;
    const uint32_t zero_point = (uint32_t)p->in_zero_point & 0xFFFFU;
    uint32_t sides = 0U;
    uint32_t back;
    row_t row;

    if ((p->stride == 2U) && (p->pad_left == 0U)) {
        sides |= NO_LEFT;
    }
    if ((p->stride == 2U) && (last < p->in_w)) {
        sides |= NO_RIGHT;
    }
    row.zero_point = p->out_zero_point;
    row.border = zero_point | (zero_point << 16);
    row.apart = (uint32_t)p->channels / p->stride;
    row.span = row.apart * p->in_w;
    back = row.span - (row.apart * (2U - p->pad_left));
    if (p->stride == 1U) {
        row.span = 1U - row.span;
    }
    row.end = &p->packed[7U * (size_t)p->channels];
    for (size_t y = y0; y < y1; y++) {
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        row.packed = p->packed;
        row.special = sides | find_rows(p, &row, in, y);
        row.out = &to[back];
        if (p->stride == 1U) {
            row_stride1(&row);
        } else {
            row_stride2(&row);
        }
        limit(p, to);
    }
}

#endif /* MPLAN_DEPTHWISE3X3_DSP_H */
