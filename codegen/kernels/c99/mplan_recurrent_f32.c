/* SPDX-License-Identifier: 0BSD */
#include "mplan_recurrent_f32.h"

#include <string.h>

#include "mplan_gates_f32.h"

typedef mplan_recurrent_f32_t cell_t;

enum { CELL_LSTM = 0, CELL_GRU = 1 };

static float function(uint8_t which, float a, float b, float x)
{
    float result;

    switch (which) {
    case MPLAN_CELL_SIGMOID:
        result = mplan_sigmoid_f32(x);
        break;
    case MPLAN_CELL_TANH:
        result = mplan_tanh_f32(x);
        break;
    case MPLAN_CELL_RELU:
        result = (x > 0.0f) ? x : 0.0f;
        break;
    case MPLAN_CELL_AFFINE:
        result = (a * x) + b;
        break;
    case MPLAN_CELL_LEAKY_RELU:
        result = (x < 0.0f) ? (a * x) : x;
        break;
    case MPLAN_CELL_THRESHOLDED_RELU:
        result = (x >= a) ? x : 0.0f;
        break;
    case MPLAN_CELL_SCALED_TANH:
        result = a * mplan_tanh_f32(b * x);
        break;
    case MPLAN_CELL_HARD_SIGMOID:
        result = mplan_clamp_f32((a * x) + b, 0.0f, 1.0f);
        break;
    case MPLAN_CELL_ELU:
        result = (x < 0.0f) ? (a * mplan_expm1_f32(x)) : x;
        break;
    case MPLAN_CELL_SOFTSIGN:
        result = x / (1.0f + mplan_abs_f32(x));
        break;
    default: /* MPLAN_CELL_SOFTPLUS */
        result = mplan_softplus_f32(x);
        break;
    }
    return result;
}

static float limited(const cell_t *p, float x)
{
    return (p->clips != 0U) ? mplan_clamp_f32(x, -p->clip, p->clip) : x;
}

static float first(const cell_t *p, float x)
{
    return function(p->first, p->first_alpha, p->first_beta, limited(p, x));
}

static float second(const cell_t *p, float x)
{
    return function(p->second, p->second_alpha, p->second_beta, limited(p, x));
}

static float sum_of(float start, const float *values, const float *weights, size_t count)
{
    float sum = start;

    for (size_t i = 0U; i < count; i++) {
        sum += values[i] * weights[i];
    }
    return sum;
}

static float of_x(const cell_t *p, size_t row, float start, const float *x)
{
    return sum_of(start, x, &p->weights[row * p->in_c], p->in_c);
}

static float of_h(const cell_t *p, size_t row, float start, const float *h)
{
    return sum_of(start, h, &p->recurrent[row * p->hidden], p->hidden);
}

static float gate(const cell_t *p, size_t row, const float *x, const float *h)
{
    return of_h(p, row, of_x(p, row, p->bias[row], x), h);
}

static float peeped(const float *peepholes, size_t at, float sum, float c)
{
    return (peepholes != NULL) ? (sum + (peepholes[at] * c)) : sum;
}

static void lstm(const cell_t *p, const float *x, const float *h, float *c, float *next)
{
    const size_t n = p->hidden;

    for (size_t j = 0U; j < n; j++) {
        const float in = first(p, peeped(p->peepholes, j, gate(p, j, x, h), c[j]));
        const size_t forget_row = (2U * n) + j;
        const float out = gate(p, n + j, x, h);
        float forget;

        if (p->input_forget != 0U) {
            forget = 1.0f - in;
        } else {
            forget = first(p, peeped(p->peepholes, forget_row, gate(p, forget_row, x, h), c[j]));
        }
        c[j] = (forget * c[j]) + (in * second(p, gate(p, (3U * n) + j, x, h)));
        next[j] = first(p, peeped(p->peepholes, n + j, out, c[j])) *
                  function(p->third, p->third_alpha, p->third_beta, c[j]);
    }
}

static void gru(const cell_t *p, const float *x, const float *h, float *next)
{
    const size_t n = p->hidden;
    float *const reset_h = &next[n];

    for (size_t j = 0U; (j < n) && (p->linear_before_reset == 0U); j++) {
        reset_h[j] = first(p, gate(p, n + j, x, h)) * h[j];
    }
    for (size_t j = 0U; j < n; j++) {
        const size_t row = (2U * n) + j;
        const float z = first(p, gate(p, j, x, h));
        float candidate;

        if (p->linear_before_reset != 0U) {
            const float reset = first(p, gate(p, n + j, x, h));
            const float fresh = of_x(p, row, p->bias[row], x);

            candidate = second(p, fresh + (reset * of_h(p, row, p->bias[row + n], h)));
        } else {
            candidate = second(p, gate(p, row, x, reset_h));
        }
        next[j] = ((1.0f - z) * candidate) + (z * h[j]);
    }
}

static void step(const cell_t *p, const float *x, float *h, float *next)
{
    if (p->kind == (uint8_t)CELL_LSTM) {
        lstm(p, x, h, &h[p->hidden], next);
    } else if (p->kind == (uint8_t)CELL_GRU) {
        gru(p, x, h, next);
    } else {
        for (size_t j = 0U; j < p->hidden; j++) {
            next[j] = first(p, gate(p, j, x, h));
        }
    }
    (void)memcpy(h, next, p->hidden * sizeof *h);
}

static size_t state_floats(const cell_t *p)
{
    return (p->kind == (uint8_t)CELL_LSTM) ? ((size_t)p->hidden * 2U) : p->hidden;
}

/* out is NULL where no rows are wanted. */
static void run(const cell_t *p, const mplan_rows_t *out_rows, const int8_t *in, int8_t *state,
                int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    float *const next = (float *)(void *)scratch;

    for (size_t y = y0; y < y1; y++) {
        for (size_t b = 0U; b < p->batch; b++) {
            const size_t length = (p->lengths != NULL) ? p->lengths[b] : p->steps;
            const size_t t = ((p->reverse != 0U) && (y < length)) ? (length - 1U - y) : y;
            const float *const x = (const float *)(const void *)&in[mplan_row(&p->in_rows, t)];
            float *const h = &((float *)(void *)state)[b * state_floats(p)];

            if (y < length) {
                step(p, &x[b * p->in_c], h, next);
            }
            if (out != NULL) {
                float *const to = (float *)(void *)&out[mplan_row(out_rows, t)];

                for (size_t j = 0U; j < p->hidden; j++) {
                    to[(b * p->hidden) + j] = (y < length) ? h[j] : 0.0f;
                }
            }
        }
    }
}

MPLAN_KERNEL
void mplan_recurrent_f32(const mplan_recurrent_f32_t *p, const int8_t *in, int8_t *state,
                         int8_t *other, int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    int8_t *next = state;
    int8_t *rows = out;

    if (p->last != 0U) {
        next = (p->gives_rows != 0U) ? other : out;
        rows = (p->gives_rows != 0U) ? out : NULL;
        if (y0 == 0U) {
            (void)memcpy(next, state, state_floats(p) * p->batch * sizeof(float));
        }
    }
    if ((p->last != 0U) && (p->gives_rows != 0U)) {
        run(p, &p->out2_rows, in, next, rows, 0U, p->steps, scratch);
    } else {
        run(p, &p->out_rows, in, next, rows, y0, y1, scratch);
    }
}
