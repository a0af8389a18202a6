/* SPDX-License-Identifier: 0BSD */
/* mplan_columns_s8_mve.h - columns under windows of each channel, woven by vectors (Helium). */
#ifndef MPLAN_COLUMNS_S8_MVE_H
#define MPLAN_COLUMNS_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_LANES (16U)      /* channels woven together */
#define MPLAN_QUAD (4U)        /* of rows in a word, of channels in a vector of results */
#define MPLAN_WORD_BYTES (64U) /* of one word of all lanes */

/* What `mplan_weave` reads: four rows of some channels; then they are those of the next. */
typedef struct {
    const int8_t *from[MPLAN_QUAD]; /*  0: column 0 */
    size_t apart[MPLAN_QUAD];       /* 16: bytes from column to column */
    int8_t *to;                     /* 32: column 0 */
    size_t column;                  /* 36: bytes of a column of all lanes */
    size_t channels;                /* 40: that are left */
    size_t count;                   /* 44: columns, at least 1 */
    size_t next[MPLAN_QUAD];        /* 48: bytes to the next channels */
    size_t guarded;                 /* 64: columns at the end of a row, behind whose channels 16
                                     * bytes from their first may not be read, at least 1 */
} mplan_columns_t;
MPLAN_STATIC_ASSERT(
    mplan_columns_as_in_assembly,
    MPLAN_AT(mplan_columns_t, from, 0U) && MPLAN_AT(mplan_columns_t, apart, 16U) &&
        MPLAN_AT(mplan_columns_t, to, 32U) && MPLAN_AT(mplan_columns_t, column, 36U) &&
        MPLAN_AT(mplan_columns_t, channels, 40U) && MPLAN_AT(mplan_columns_t, count, 44U) &&
        MPLAN_AT(mplan_columns_t, next, 48U) && MPLAN_AT(mplan_columns_t, guarded, 64U));

/* Four rows of `count` columns to words; lanes behind the channels are not read. */
static MPLAN_NAKED void mplan_weave(
    __attribute__((unused)) mplan_columns_t *rows)
{
    __asm volatile("push {r4-r11, lr}\n"
                   "mov r10, r0; ldmia r0, {r0-r9, r12, lr}\n"
                   "vldrw.32 q0, [r10]; vldrw.32 q1, [r10, #48]; vadd.i32 q0, q0, q1\n"
                   "vstrw.32 q0, [r10]; sub r11, r12, #16; str r11, [r10, #40]\n"
                   "vctp.8 r12; cmp r12, #16; ldr r12, [r10, #64]; it ge; movge r12, #0\n"
                   "sub lr, lr, r12; wls lr, lr, 2f\n"
                   "1:\n" /* all lanes */
                   "vldrb.8 q0, [r0]; add r0, r0, r4; vldrb.8 q1, [r1]; add r1, r1, r5\n"
                   "vldrb.8 q2, [r2]; add r2, r2, r6; vldrb.8 q3, [r3]; add r3, r3, r7\n"
                   "vst40.8 {q0, q1, q2, q3}, [r8]; vst41.8 {q0, q1, q2, q3}, [r8]\n"
                   "vst42.8 {q0, q1, q2, q3}, [r8]; vst43.8 {q0, q1, q2, q3}, [r8]\n"
                   "add r8, r8, r9; le lr, 1b\n"
                   "2: wls lr, r12, 4f\n"
                   "3: vpstttt\n"
                   "vldrbt.8 q0, [r0]; vldrbt.8 q1, [r1]; vldrbt.8 q2, [r2]; vldrbt.8 q3, [r3]\n"
                   "add r0, r0, r4; add r1, r1, r5; add r2, r2, r6; add r3, r3, r7\n"
                   "vst40.8 {q0, q1, q2, q3}, [r8]; vst41.8 {q0, q1, q2, q3}, [r8]\n"
                   "vst42.8 {q0, q1, q2, q3}, [r8]; vst43.8 {q0, q1, q2, q3}, [r8]\n"
                   "add r8, r8, r9; le lr, 3b\n"
                   "4: pop {r4-r11, pc}\n");
}

/* Columns that lie in the padding. */
static MPLAN_NAKED void mplan_blank(
    __attribute__((unused)) int8_t value, __attribute__((unused)) int8_t *to,
    __attribute__((unused)) size_t bytes)
{
    __asm volatile("push {r4, lr}; vdup.8 q0, r0; wlstp.8 lr, r2, 2f\n"
                   "1: vstrb.8 q0, [r1], #16; letp lr, 1b\n"
                   "2: pop {r4, pc}\n");
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_COLUMNS_S8_MVE_H */
