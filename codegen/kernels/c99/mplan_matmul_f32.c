/* SPDX-License-Identifier: 0BSD */
#include "mplan_matmul_f32.h"

#define COLUMNS 2 /* that share the loads of `in` */
#define IN 1      /* rows and bytes of an operand within a loop */
#define IN2 3

/* An element of an operand: its row, and its byte there. */
typedef struct {
    size_t row;
    size_t byte;
} place_t;

static place_t moved(place_t from, const int32_t *loop, size_t operand, size_t rounds)
{
    place_t to = from;

    to.row += rounds * (size_t)loop[operand];
    to.byte += rounds * (size_t)loop[operand + 1U];
    return to;
}

static float float_at(const int8_t *from)
{
    return *(const float *)(const void *)from;
}

/* Bytes from an element to the next one that is summed over, rows at equal distance. */
static size_t depth_step(const mplan_rows_t *rows, const int32_t *depth, size_t operand)
{
    return (size_t)depth[operand + 1U] + ((size_t)depth[operand] * rows->stride);
}

/* Sums of two columns. */
static void add(const int8_t *in, size_t step, const int8_t *in2, const int8_t *in3, size_t step2,
                size_t count, float *sums)
{
    float sum0 = sums[0];
    float sum1 = sums[1];

    for (size_t k = count; k > 0U; k--) {
        const float value = float_at(in);

        sum0 += value * float_at(in2);
        sum1 += value * float_at(in3);
        in = &in[step];
        in2 = &in2[step2];
        in3 = &in3[step2];
    }
    sums[0] = sum0;
    sums[1] = sum1;
}

/* All products of two columns; one after the other where rows are found by a table. */
static void add_columns(const mplan_matmul_f32_t *p, const int8_t *in, const int8_t *in2, place_t a,
                        place_t b, const size_t *places, float *sums)
{
    const int32_t *const depth = &p->loops[20];
    const size_t step = depth_step(&p->in_rows, depth, IN);
    const size_t step2 = depth_step(&p->in2_rows, depth, IN2);
    const int32_t looked_up = ((p->in_rows.table != NULL) ? depth[IN] : 0) +
                              ((p->in2_rows.table != NULL) ? depth[IN2] : 0);
    const size_t count = (looked_up != 0) ? 1U : (size_t)depth[0];

    for (size_t k = 0U; k < (size_t)depth[0]; k += count) {
        const place_t from = moved(a, depth, IN, k);
        const place_t from2 = moved(b, depth, IN2, k);
        const size_t row = mplan_row(&p->in_rows, from.row);
        const size_t row2 = (depth[IN2] != 0) ? mplan_row(&p->in2_rows, from2.row) : 0U;

        add(&in[row + from.byte], step, &in2[row2 + from2.byte + places[0]],
            &in2[row2 + from2.byte + places[1]], step2, count, sums);
    }
}

/* All columns; an odd last one comes twice. */
static void line(const mplan_matmul_f32_t *p, const int8_t *in, const int8_t *in2, place_t a,
                 place_t b, float *out)
{
    const int32_t *const loop = &p->loops[15];
    const size_t columns = (size_t)loop[0];

    for (size_t c = 0U; c < columns; c += COLUMNS) {
        const size_t count = ((columns - c) < COLUMNS) ? (columns - c) : COLUMNS;
        float sums[COLUMNS] = {0.0f, 0.0f};
        size_t places[COLUMNS];

        for (size_t i = 0U; i < COLUMNS; i++) {
            const place_t at = moved(b, loop, IN2, c + ((i < count) ? i : (count - 1U)));

            places[i] = (at.byte - b.byte) +
                        ((p->loops[20 + IN2] == 0) ? mplan_row(&p->in2_rows, at.row) : 0U);
        }
        add_columns(p, in, in2, a, b, places, sums);
        for (size_t i = 0U; i < count; i++) {
            out[c + i] = mplan_clamp_f32(sums[i], p->act_min, p->act_max);
        }
    }
}

/* The loops around the columns of an output row. */
static void lines(const mplan_matmul_f32_t *p, const int8_t *in, const int8_t *in2, size_t y,
                  float *out)
{
    const int32_t *const loops = p->loops;
    const place_t start = {0U, 0U};
    const place_t a = moved(start, &loops[25], IN, y);
    const place_t b = moved(start, &loops[25], IN2, y);
    float *to = out;

    for (size_t i = 0U; i < (size_t)loops[0]; i++) {
        for (size_t j = 0U; j < (size_t)loops[5]; j++) {
            for (size_t k = 0U; k < (size_t)loops[10]; k++) {
                const place_t a2 = moved(moved(a, loops, IN, i), &loops[5], IN, j);
                const place_t b2 = moved(moved(b, loops, IN2, i), &loops[5], IN2, j);

                line(p, in, in2, moved(a2, &loops[10], IN, k), moved(b2, &loops[10], IN2, k), to);
                to = &to[loops[15]];
            }
        }
    }
}

MPLAN_KERNEL
void mplan_matmul_f32(const mplan_matmul_f32_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        lines(p, in, in2, y, (float *)(void *)&out[mplan_row(&p->out_rows, y)]);
    }
}
