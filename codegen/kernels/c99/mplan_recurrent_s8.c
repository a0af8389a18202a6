/* SPDX-License-Identifier: 0BSD */
#include "mplan_recurrent_s8.h"

#include <string.h>

typedef mplan_recurrent_s8_t cell_t;

enum { CELL_LSTM = 0, CELL_GRU = 1 };

#define ONE (32768)
#define MOST (32767)
#define HALF (16384)

/** A line between two entries of the table; 15 bits of fraction. */
static int32_t function(const cell_t *p, uint8_t is_tanh, int32_t limit, int32_t sum)
{
    const int32_t q = mplan_clamp(sum, -limit, limit);
    const int16_t *const at = &p->tanh_table[256 + (q >> 7)];
    const int32_t tanh = at[0] + ((((at[1] - at[0]) * (q & 127)) + 64) >> 7);

    return (is_tanh != 0U) ? tanh : ((ONE + 1 + tanh) >> 1);
}

static int32_t first(const cell_t *p, int32_t sum)
{
    return function(p, p->first_is_tanh, p->first_limit, sum);
}

static int32_t second(const cell_t *p, int32_t sum)
{
    return function(p, p->second_is_tanh, p->second_limit, sum);
}

static int32_t of_x(const cell_t *p, size_t row, const int8_t *x)
{
    const int8_t *const w = &p->weights[row * p->in_c];
    int32_t sum = 0;

    for (size_t i = 0U; i < p->in_c; i++) {
        sum += x[i] * w[i];
    }
    return mplan_scale(sum, p->x_multiplier[row], p->x_pre_shift);
}

static int32_t of_h(const cell_t *p, size_t row, const int16_t *h)
{
    const int8_t *const w = &p->recurrent[row * p->hidden];
    int32_t sum = 0;

    for (size_t i = 0U; i < p->hidden; i++) {
        sum += (h[i] >> p->h_right) * w[i];
    }
    return mplan_scale(sum, p->h_multiplier[row], p->h_pre_shift);
}

static int32_t gate(const cell_t *p, size_t row, const int8_t *x, const int16_t *h)
{
    return of_x(p, row, x) + of_h(p, row, h) + p->bias[row];
}

static int16_t short_of(int32_t value)
{
    return (int16_t)mplan_clamp(value, -ONE, MOST);
}

static int32_t peeped(const int32_t *peepholes, size_t at, int32_t c)
{
    int64_t product = 0;

    if (peepholes != NULL) {
        product = (int64_t)peepholes[at] * c;
    }
    return (int32_t)((product + 32768) >> 16);
}

static void lstm(const cell_t *p, const int8_t *x, const int16_t *h, int16_t *c, int16_t *next)
{
    const size_t n = p->hidden;
    const int32_t half = (int32_t)1 << (p->reach - 1U);
    const int32_t to = (int32_t)1 << ((p->third_is_tanh != 0U) ? (p->reach - 3U) : (p->reach - 4U));

    for (size_t j = 0U; j < n; j++) {
        const size_t row = (2U * n) + j;
        const int32_t in = first(p, gate(p, j, x, h) + peeped(p->peepholes, j, c[j]));
        int32_t forget = ONE - in;
        int32_t out;

        if (p->input_forget == 0U) {
            forget = first(p, gate(p, row, x, h) + peeped(p->peepholes, row, c[j]));
        }
        out = in * second(p, gate(p, row + n, x, h));
        c[j] = short_of(((forget * c[j]) + ((out + half) >> p->reach) + HALF) >> 15);
        out = first(p, gate(p, n + j, x, h) + peeped(p->peepholes, n + j, c[j]));
        out *= function(p, p->third_is_tanh, MOST, c[j] * to);
        next[j] = short_of((out + HALF) >> 15);
    }
}

static void gru(const cell_t *p, const int8_t *x, const int16_t *h, int16_t *next)
{
    const size_t n = p->hidden;
    int16_t *const reset_h = &next[n];

    for (size_t j = 0U; (j < n) && (p->linear_before_reset == 0U); j++) {
        reset_h[j] = (int16_t)(((first(p, gate(p, n + j, x, h)) * h[j]) + HALF) >> 15);
    }
    for (size_t j = 0U; j < n; j++) {
        const size_t row = (2U * n) + j;
        const int32_t z = first(p, gate(p, j, x, h));
        int32_t candidate;

        if (p->linear_before_reset != 0U) {
            const int64_t old = of_h(p, row, h) + p->bias[row + n];
            const int64_t reset = first(p, gate(p, n + j, x, h));

            candidate = of_x(p, row, x) + p->bias[row];
            candidate += (int32_t)(((reset * old) + HALF) >> 15);
        } else {
            candidate = gate(p, row, x, reset_h);
        }
        candidate = second(p, candidate);
        next[j] = short_of((((ONE - z) * candidate) + (z * h[j]) + HALF) >> 15);
    }
}

static void step(const cell_t *p, const int8_t *x, int16_t *h, int16_t *next)
{
    if (p->kind == (uint8_t)CELL_LSTM) {
        lstm(p, x, h, &h[p->hidden], next);
    } else if (p->kind == (uint8_t)CELL_GRU) {
        gru(p, x, h, next);
    } else {
        for (size_t j = 0U; j < p->hidden; j++) {
            next[j] = short_of(first(p, gate(p, j, x, h)));
        }
    }
    (void)memcpy(h, next, p->hidden * sizeof *h);
}

static size_t state_values(const cell_t *p)
{
    return (p->kind == (uint8_t)CELL_LSTM) ? ((size_t)p->hidden * 2U) : p->hidden;
}

static int8_t output_of(const cell_t *p, int32_t h)
{
    const int32_t q = mplan_scale(h, p->out_multiplier, p->out_pre_shift);

    return (int8_t)mplan_clamp(q + p->out_zero_point, -128, 127);
}

/* out is NULL where no rows are wanted. */
static void run(const cell_t *p, const mplan_rows_t *out_rows, const int8_t *in, int8_t *state,
                int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    int16_t *const next = (int16_t *)(void *)scratch;

    for (size_t y = y0; y < y1; y++) {
        for (size_t b = 0U; b < p->batch; b++) {
            const size_t length = (p->lengths != NULL) ? p->lengths[b] : p->steps;
            const size_t t = ((p->reverse != 0U) && (y < length)) ? (length - 1U - y) : y;
            int16_t *const h = &((int16_t *)(void *)state)[b * state_values(p)];

            if (y < length) {
                step(p, &in[mplan_row(&p->in_rows, t) + (b * p->in_c)], h, next);
            }
            if (out != NULL) {
                int8_t *const to = &out[mplan_row(out_rows, t) + (b * p->hidden)];

                for (size_t j = 0U; j < p->hidden; j++) {
                    to[j] = (y < length) ? output_of(p, h[j]) : p->out_zero_point;
                }
            }
        }
    }
}

MPLAN_KERNEL
void mplan_recurrent_s8(const mplan_recurrent_s8_t *p, const int8_t *in, int8_t *state,
                        int8_t *other, int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    int8_t *next = state;
    int8_t *rows = out;

    if (p->last != 0U) {
        next = (p->gives_rows != 0U) ? other : out;
        rows = (p->gives_rows != 0U) ? out : NULL;
        if (y0 == 0U) {
            (void)memcpy(next, state, state_values(p) * p->batch * sizeof(int16_t));
        }
    }
    if ((p->last != 0U) && (p->gives_rows != 0U)) {
        run(p, &p->out2_rows, in, next, rows, 0U, p->steps, scratch);
    } else {
        run(p, &p->out_rows, in, next, rows, y0, y1, scratch);
    }
}
