/* SPDX-License-Identifier: 0BSD */
/* mplan_padded_rows_dsp.h - input rows with their padding beside them: mplan_conv2d_rows_s8_dsp.h.
 */
#ifndef MPLAN_PADDED_ROWS_DSP_H
#define MPLAN_PADDED_ROWS_DSP_H

#include <string.h>

#include "mplan_conv2d_rows_s8_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Copies `count` bytes, 16 in 13 cycles. */
static MPLAN_NAKED void mplan_copy_row(
    __attribute__((unused)) const int8_t *from, __attribute__((unused)) int8_t *to,
    __attribute__((unused)) size_t count)
{
    __asm volatile("push {r4-r6, lr}; subs r2, r2, #16; blo 2f\n"
                   ".balign 4\n1:\n"
                   "ldr.w r3, [r0], #4; ldr.w r4, [r0], #4\n"
                   "ldr.w r5, [r0], #4; ldr.w r6, [r0], #4\n"
                   "str.w r3, [r1], #4; str.w r4, [r1], #4\n"
                   "str.w r5, [r1], #4; str.w r6, [r1], #4\n"
                   "subs r2, r2, #16; bhs 1b\n"
                   "2: adds r2, r2, #12; bmi 4f\n"
                   "3: ldr r3, [r0], #4; str r3, [r1], #4; subs r2, r2, #4; bpl 3b\n"
                   "4: adds r2, r2, #4; beq 6f\n"
                   "5: ldrb r3, [r0], #1; strb r3, [r1], #1; subs r2, r2, #1; bne 5b\n"
                   "6: pop {r4-r6, pc}\n");
}

/* Rows of the input as the windows read them: with the padding beside them, or where they are. */
typedef struct {
    const int8_t *in;
    int8_t *first;  /* kernel_h of them one after the other; else one of padding alone */
    size_t bytes;   /* of a row */
    size_t left;    /* of them before the input */
    size_t inside;
    size_t apart;   /* from row to row */
    int32_t next;   /* input row that is not there yet */
    int padded;     /* beside the input */
} mplan_padded_rows_t;

/* The lines of an output row; what is not there yet takes the place of what none sees any more. */
static inline void mplan_find_lines(const mplan_conv2d_rows_s8_dsp_t *p,
                                    mplan_padded_rows_t *rows, const int8_t **lines, size_t y)
{
    const size_t top = y * p->stride_h;
    int32_t row = (int32_t)top - (int32_t)p->pad_top;
    size_t place = rows->padded ? (top % p->kernel_h) : 0U;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        int8_t *const line = &rows->first[place * rows->apart];
        const int inside = ((row >= 0) && (row < (int32_t)p->in_h)) ? 1 : 0;

        lines[ky] = line;
        if ((inside != 0) && !rows->padded) {
            lines[ky] = &rows->in[mplan_row(&p->in_rows, (size_t)row)];
        } else if (row >= rows->next) {
            if (inside != 0) {
                mplan_copy_row(&rows->in[mplan_row(&p->in_rows, (size_t)row)], &line[rows->left],
                     rows->inside);
            } else {
                (void)memset(line, p->in_zero_point, rows->bytes);
            }
        } else {
            /* there since another output row */
        }
        row++;
        place = (rows->padded && ((place + 1U) < p->kernel_h)) ? (place + 1U) : 0U;
    }
    lines[p->kernel_h] = lines[p->kernel_h - 1U];
    rows->next = row;
}

/* Where rows with their padding go, and that padding. */
static inline void mplan_prepare_rows(const mplan_conv2d_rows_s8_dsp_t *p,
                                      mplan_padded_rows_t *rows, const int8_t *in, int8_t *first)
{
    const size_t read = (((size_t)p->out_w - 1U) * p->stride_w) + p->kernel_w;

    rows->in = in;
    rows->first = first;
    rows->bytes = read * p->in_c;
    rows->left = (size_t)p->pad_left * p->in_c;
    rows->inside = (size_t)p->width * p->in_c;
    rows->apart = (rows->bytes + 3U) & ~(size_t)3U;
    rows->next = -(int32_t)p->pad_top;
    rows->padded = (rows->bytes > rows->inside);
    for (size_t i = 0U; rows->padded && (i < p->kernel_h); i++) {
        int8_t *const row = &first[i * rows->apart];
        const size_t end = rows->left + rows->inside;

        (void)memset(row, p->in_zero_point, rows->left);
        (void)memset(&row[end], p->in_zero_point, rows->bytes - end);
    }
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PADDED_ROWS_DSP_H */
