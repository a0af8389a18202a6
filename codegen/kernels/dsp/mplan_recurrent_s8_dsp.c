/* SPDX-License-Identifier: 0BSD */
#include "mplan_recurrent_s8_dsp.h"

#include <string.h>

#include "mplan_gate_sums_dsp.h"

typedef mplan_recurrent_s8_dsp_t cell_t;

enum { CELL_LSTM = 0, CELL_GRU = 1 };

#define ONE (32768)
#define HALF (16384)

/* What a step works in. */
typedef struct {
    int16_t *x;     /* widened, 0 up to a multiple of four */
    int16_t *h;     /* shifted, 0 up to a multiple of four */
    int32_t *gates; /* what the functions are given, row by row */
} work_t;

static void add(mplan_gate_job_t *job, const int16_t *values, size_t count, int32_t *gates,
                size_t rows)
{
    job->values = values;
    job->end = &values[count];
    job->gates = gates;
    job->gates_end = &gates[rows];
    job->entry = mplan_gate_entry(count);
    mplan_gate_sums(job);
}

static void add_x(const cell_t *p, const work_t *w, size_t rows)
{
    mplan_gate_job_t job;

    job.weights = p->weights;
    job.start = p->bias;
    add(&job, w->x, mplan_up_to_four(p->in_c), w->gates, rows);
}

/* Rows [first, end) of h are added to start and go to gates; first is a multiple of four. */
static void add_h(const cell_t *p, const int16_t *h, size_t first, size_t end, const int32_t *start,
                  int32_t *gates)
{
    const size_t count = mplan_up_to_four(p->hidden);
    mplan_gate_job_t job;

    job.weights = &p->recurrent[(first / 4U) * mplan_gate_words(count)];
    job.start = start;
    add(&job, h, count, gates, end - first);
}

/*
 * A line between two entries of the table of tanh, times 128. Of 16 bits, whose ends give the same
 * as one step inside of them, 7 are the part of the way: both entries times 128 - part and part.
 */
static inline int32_t line(const int16_t *table, int32_t x, int32_t rounding)
{
    int32_t q;
    uint32_t entries;

    __asm("ssat %[q], #16, %[x]; asr %[t], %[q], #7; ldr %[t], [%[table], %[t], lsl #1]\n"
          "ubfx %[q], %[q], #0, #7; mla %[q], %[q], %[spread], %[whole]\n"
          "smlad %[q], %[t], %[q], %[rounding]\n"
          : [q] "=&r"(q), [t] "=&r"(entries)
          : [x] "r"(x), [table] "r"(table), [rounding] "r"(rounding), [spread] "r"(65535),
            [whole] "r"(128));
    return q;
}

static inline int32_t tanh_of(const int16_t *table, int32_t x)
{
    return line(table, x, 64) >> 7;
}

/* (1 + 2^-15 + tanh) / 2 */
static inline int32_t sigmoid_of(const int16_t *table, int32_t x)
{
    return line(table, x, 64 + ((ONE + 1) * 128)) >> 8;
}

/* Adds what i and f, or o, see of the cells. */
static void peep(const cell_t *p, int32_t *gates, size_t gate, const int16_t *c)
{
    for (size_t j = gate * p->hidden; (p->peepholes != NULL) && (j < ((gate + 1U) * p->hidden));
         j++) {
        const int64_t product = (int64_t)p->peepholes[j] * c[j - (gate * p->hidden)];

        gates[j] += (int32_t)((product + 32768) >> 16);
    }
}

static void lstm(const cell_t *p, int32_t *gates, int16_t *h)
{
    const size_t n = p->hidden;
    const uint32_t reach = p->reach;
    const int32_t half = (int32_t)1 << (reach - 1U);
    const int16_t *const table = &p->tanh_table[256];
    int16_t *const c = &h[n];

    peep(p, gates, 0U, c);
    peep(p, gates, 2U, c);
    for (size_t j = 0U; j < n; j++) {
        const int32_t in = sigmoid_of(table, gates[j]);
        const int32_t forget = sigmoid_of(table, gates[(2U * n) + j]);
        const int32_t fresh = in * tanh_of(table, gates[(3U * n) + j]);
        int32_t q = ((forget * c[j]) + ((fresh + half) >> reach) + HALF) >> 15;

        __asm("ssat %0, #16, %0" : "+r"(q));
        c[j] = (int16_t)q;
    }
    peep(p, gates, 1U, c);
    for (size_t j = 0U; j < n; j++) {
        const int32_t shown = tanh_of(table, (int32_t)((uint32_t)(int32_t)c[j] << (reach - 3U)));

        h[j] = (int16_t)(((sigmoid_of(table, gates[n + j]) * shown) + HALF) >> 15);
    }
}

/* (1 - z) * candidate + z * h, which lies between both. */
static inline int16_t mixed(int32_t z, int32_t candidate, int32_t h)
{
    const uint32_t sum = ((uint32_t)candidate << 15) + ((uint32_t)z * (uint32_t)(h - candidate));

    return (int16_t)((int32_t)(sum + (uint32_t)HALF) >> 15);
}

static void gru(const cell_t *p, const work_t *w, int16_t *h)
{
    const size_t n = p->hidden;
    const int16_t *const table = &p->tanh_table[256];
    int32_t *const gates = w->gates;
    int32_t *const candidates = &gates[2U * n];

    if (p->linear_before_reset == 0U) {
        for (size_t j = 0U; j < n; j++) {
            const int32_t reset = sigmoid_of(table, gates[n + j]);

            w->h[j] = (int16_t)(((reset * h[j]) + HALF) >> 15 >> p->h_right);
        }
        add_h(p, w->h, 2U * n, 3U * n, candidates, candidates);
        for (size_t j = 0U; j < n; j++) {
            h[j] = mixed(sigmoid_of(table, gates[j]), tanh_of(table, candidates[j]), h[j]);
        }
    } else {
        for (size_t j = 0U; j < n; j++) {
            const int64_t reset = sigmoid_of(table, gates[n + j]);
            const int32_t old = (int32_t)(((reset * candidates[n + j]) + HALF) >> 15);
            const int32_t candidate = tanh_of(table, candidates[j] + old);

            h[j] = mixed(sigmoid_of(table, gates[j]), candidate, h[j]);
        }
    }
}

/* Four bytes at a time as 0 and 2, 1 and 3; the last up to three as they come. */
static void widen(const int8_t *x, size_t count, uint32_t left, int16_t *to)
{
    size_t i = 0U;

    for (; (i + 4U) <= count; i += 4U) {
        uint32_t word;
        uint32_t even;
        uint32_t odd;

        (void)memcpy(&word, &x[i], sizeof word);
        __asm("sxtb16 %0, %2; sxtb16 %1, %2, ror #8" : "=&r"(even), "=r"(odd) : "r"(word));
        for (uint32_t k = 0U; k < left; k++) {
            __asm("sadd16 %0, %0, %0; sadd16 %1, %1, %1" : "+r"(even), "+r"(odd));
        }
        (void)memcpy(&to[i], &even, sizeof even);
        (void)memcpy(&to[i + 2U], &odd, sizeof odd);
    }
    for (; i < count; i++) {
        to[i] = (int16_t)(x[i] * ((int32_t)1 << left));
    }
}

static void step(const cell_t *p, const work_t *w, const int8_t *x, int16_t *h)
{
    static const uint8_t gates_of[3] = {4U, 3U, 1U};
    const size_t n = p->hidden;
    const size_t rows = gates_of[p->kind] * n;
    int32_t *const gates = w->gates;
    const int16_t *values = h;

    widen(x, p->in_c, p->x_pre_shift, w->x);
    if ((p->h_right != 0U) || ((n % 4U) != 0U)) {
        values = w->h;
        for (size_t i = 0U; i < n; i++) {
            w->h[i] = (int16_t)(h[i] >> p->h_right);
        }
    }
    add_x(p, w, rows);
    if (p->kind == (uint8_t)CELL_LSTM) {
        add_h(p, values, 0U, rows, gates, gates);
        lstm(p, gates, h);
    } else if (p->kind == (uint8_t)CELL_GRU) {
        add_h(p, values, 0U, 2U * n, gates, gates);
        if (p->linear_before_reset != 0U) {
            add_h(p, values, 2U * n, rows, &p->bias[rows], &gates[rows]);
        }
        gru(p, w, h);
    } else {
        add_h(p, values, 0U, rows, gates, gates);
        for (size_t j = 0U; j < n; j++) {
            h[j] = (int16_t)tanh_of(&p->tanh_table[256], gates[j]);
        }
    }
}

static size_t state_values(const cell_t *p)
{
    return (p->kind == (uint8_t)CELL_LSTM) ? ((size_t)p->hidden * 2U) : p->hidden;
}

static void give(const cell_t *p, const int16_t *h, int8_t *to, int32_t there)
{
    const int32_t multiplier = (there != 0) ? p->out_multiplier : 0;
    const int32_t zero_point = p->out_zero_point;
    const uint32_t left = p->out_pre_shift;
    const size_t n = p->hidden;

    for (size_t j = 0U; j < n; j++) {
        int32_t q = (int32_t)((uint32_t)(int32_t)h[j] << left);

        __asm("smmlar %0, %0, %1, %2; ssat %0, #8, %0"
              : "+r"(q)
              : "r"(multiplier), "r"(zero_point));
        to[j] = (int8_t)q;
    }
}

/* rows is NULL where none are wanted. */
static void run(const cell_t *p, const mplan_rows_t *out_rows, const int8_t *in, int8_t *state,
                int8_t *rows, size_t y0, size_t y1, int8_t *scratch)
{
    work_t w;

    w.x = (int16_t *)(void *)scratch;
    w.h = &w.x[mplan_up_to_four(p->in_c)];
    w.gates = (int32_t *)(void *)&w.h[mplan_up_to_four(p->hidden)];
    (void)memset(w.x, 0, (mplan_up_to_four(p->in_c) + mplan_up_to_four(p->hidden)) * sizeof *w.x);
    for (size_t y = y0; y < y1; y++) {
        for (size_t b = 0U; b < p->batch; b++) {
            const size_t length = (p->lengths != NULL) ? p->lengths[b] : p->steps;
            const size_t t = ((p->reverse != 0U) && (y < length)) ? (length - 1U - y) : y;
            int16_t *const h = &((int16_t *)(void *)state)[b * state_values(p)];

            if (y < length) {
                step(p, &w, &in[mplan_row(&p->in_rows, t) + (b * p->in_c)], h);
            }
            if (rows != NULL) {
                give(p, h, &rows[mplan_row(out_rows, t) + (b * p->hidden)], (y < length) ? 1 : 0);
            }
        }
    }
}

MPLAN_KERNEL
void mplan_recurrent_s8_dsp(const mplan_recurrent_s8_dsp_t *p, const int8_t *in, int8_t *state,
                            int8_t *other, int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    if (p->last == 0U) {
        run(p, &p->out_rows, in, state, out, y0, y1, scratch);
    } else {
        int8_t *const next = (p->gives_rows != 0U) ? other : out;

        if (y0 == 0U) {
            (void)memcpy(next, state, state_values(p) * p->batch * sizeof(int16_t));
        }
        if (p->gives_rows != 0U) {
            run(p, &p->out2_rows, in, next, out, 0U, p->steps, scratch);
        } else {
            run(p, NULL, in, next, NULL, y0, y1, scratch);
        }
    }
}
