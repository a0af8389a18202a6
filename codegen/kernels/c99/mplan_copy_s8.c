/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_copy_s8.h"

/* The innermost loop; returns where the next output byte goes. */
static int8_t *copy_line(const mplan_copy_s8_t *p, const int8_t *in, int8_t *out, int32_t row,
                         int32_t byte)
{
    const int32_t rounds = p->loops[9];
    const int32_t rows = p->loops[10];
    const int32_t step = p->loops[11];
    const int8_t *source = &in[mplan_row(&p->in_rows, (size_t)row)];
    int8_t *next = out;
    int32_t at = byte;

    for (int32_t i = 0; i < rounds; i++) {
        if (rows != 0) {
            const int32_t from = row + (i * rows);

            source = &in[mplan_row(&p->in_rows, (size_t)from)];
        }
        if (p->run == 1U) {
            *next = source[at];
        } else {
            (void)memcpy(next, &source[at], p->run);
        }
        next = &next[p->run];
        at += step;
    }
    return next;
}

MPLAN_KERNEL
void mplan_copy_s8(const mplan_copy_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    const int32_t *const n = p->loops;

    for (size_t y = y0; y < y1; y++) {
        const size_t turn = (y / p->y_repeat) % p->y_period;
        const int32_t position = (int32_t)turn;
        const int32_t row = (int32_t)p->start_row + (position * p->y_rows);
        const int32_t byte = (int32_t)p->start_byte + (position * p->y_step);
        int8_t *next = &out[mplan_row(&p->out_rows, y)];

        for (int32_t i = 0; i < n[0]; i++) {
            for (int32_t j = 0; j < n[3]; j++) {
                for (int32_t k = 0; k < n[6]; k++) {
                    next = copy_line(p, in, next, row + (i * n[1]) + (j * n[4]) + (k * n[7]),
                                     byte + (i * n[2]) + (j * n[5]) + (k * n[8]));
                }
            }
        }
    }
}
