/* SPDX-License-Identifier: 0BSD */
/* mplan_columns_s16_mve.h - columns of int16 that lie under windows, side by side (Helium). */
#ifndef MPLAN_COLUMNS_S16_MVE_H
#define MPLAN_COLUMNS_S16_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_UNUSED __attribute__((unused))

/* `count` runs of `channels` int16, from_apart bytes from one to the next, to_apart where they go;
 * at least one of either. */
static MPLAN_NAKED void mplan_move_runs(MPLAN_UNUSED const int8_t *from, MPLAN_UNUSED int8_t *to,
                                        MPLAN_UNUSED size_t count, MPLAN_UNUSED size_t channels,
                                        MPLAN_UNUSED size_t from_apart,
                                        MPLAN_UNUSED size_t to_apart)
{
    __asm volatile("push {r4-r7, lr}; ldrd r4, r5, [sp, #20]\n"
                   "1: mov r6, r0; mov r7, r1; dls lr, r2; subs r3, r3, #8; blt 3f\n"
                   "2: vldrh.16 q0, [r6]; add r6, r6, r4; vstrh.16 q0, [r7]; add r7, r7, r5\n"
                   "le lr, 2b\n"
                   "add r0, r0, #16; add r1, r1, #16; cmp r3, #0; bgt 1b; pop {r4-r7, pc}\n"
                   "3: adds r3, r3, #8; vctp.16 r3\n" /* the last ones, fewer than eight */
                   "4: vpstt; vldrht.16 q0, [r6]; vstrht.16 q0, [r7]\n"
                   "add r6, r6, r4; add r7, r7, r5; le lr, 4b; pop {r4-r7, pc}\n");
}

/* `count` int16 side by side. */
static MPLAN_APART void mplan_copy_run(const int8_t *from, int8_t *to, size_t count)
{
    const size_t vectors = count / 8U;
    const size_t rest = count % 8U;

    if (vectors > 0U) {
        mplan_move_runs(from, to, vectors, 8U, 16U, 16U);
    }
    if (rest > 0U) {
        mplan_move_runs(&from[16U * vectors], &to[16U * vectors], 1U, rest, 16U, 16U);
    }
}

/* `count` times one value. */
static MPLAN_NAKED void mplan_fill_run(MPLAN_UNUSED int8_t *to, MPLAN_UNUSED size_t count,
                                       MPLAN_UNUSED int16_t value)
{
    __asm volatile("push {r4, lr}; vdup.16 q0, r2; wlstp.16 lr, r1, 2f\n"
                   "1: vstrh.16 q0, [r0], #16; letp lr, 1b\n"
                   "2: pop {r4, pc}\n");
}

/* What columns of the input are taken from. */
typedef struct {
    const int8_t *const *lines; /* of the input under a window; NULL: padding */
    const int8_t *padding;      /* a pixel of it */
    size_t rows;                /* lines */
    size_t channels;
    int32_t width; /* of the input */
    int16_t zero_point;
} mplan_columns_s16_t;

/* `count` columns from x on: [count][rows][channels]. Those outside only if `borders`. */
static MPLAN_APART void mplan_take_columns(const mplan_columns_s16_t *c, int32_t x, size_t count,
                                           int8_t *to, int borders)
{
    const size_t run = c->channels * sizeof(int16_t);
    const size_t column = c->channels * c->rows;
    const size_t apart = run * c->rows;
    const int32_t all = MPLAN_CAST(int32_t, count);
    const int32_t first = mplan_clamp(-x, 0, all);
    const size_t begin = MPLAN_CAST(size_t, first);
    const size_t end = MPLAN_CAST(size_t, mplan_clamp(c->width - x, first, all));

    if (borders != 0) {
        mplan_fill_run(to, begin * column, c->zero_point);
        mplan_fill_run(&to[end * apart], (count - end) * column, c->zero_point);
    }
    if (end > begin) {
        const size_t at = MPLAN_CAST(size_t, x + first) * run;
        int8_t *row = &to[begin * apart];

        for (size_t i = 0U; i < c->rows; i++) {
            const int8_t *const line = c->lines[i];
            const int8_t *const from = (line != NULL) ? &line[at] : c->padding;

            mplan_move_runs(from, row, end - begin, c->channels, (line != NULL) ? run : 0U, apart);
            row = &row[run];
        }
    }
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_COLUMNS_S16_MVE_H */
