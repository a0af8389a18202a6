/* SPDX-License-Identifier: 0BSD */
#include "mplan_recurrent_s8_dsp.h"

#include <string.h>

#include "mplan_gate_sums_dsp.h"

typedef mplan_recurrent_s8_dsp_t cell_t;

enum { CELL_LSTM = 0, CELL_GRU = 1 };

#define ONE (32768)
#define MOST (32767)
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
    job.multiplier = p->x_multiplier;
    add(&job, w->x, mplan_up_to_four(p->in_c), w->gates, rows);
}

/* Rows [first, end) of h go to gates from `to` on; first is a multiple of four. */
static void add_h(const cell_t *p, const work_t *w, size_t first, size_t end, size_t to)
{
    mplan_gate_job_t job;

    job.weights = &p->recurrent[(first / 4U) * mplan_up_to_four(p->hidden)];
    job.multiplier = &p->h_multiplier[first];
    add(&job, w->h, mplan_up_to_four(p->hidden), &w->gates[to], end - first);
}

/* tanh, or the sigmoid (1 + 2^-15 + tanh) / 2, by a line between two entries of a table. */
typedef struct {
    const int16_t *table;
    int32_t limit;
    int32_t rounding;
    uint32_t shift;
} function_t;

static inline function_t function_from(const cell_t *p, uint8_t is_tanh, int32_t limit)
{
    function_t f;

    f.table = &p->tanh_table[256];
    f.limit = limit;
    f.rounding = (is_tanh != 0U) ? 64 : (64 + ((ONE + 1) * 128));
    f.shift = (is_tanh != 0U) ? 7U : 8U;
    return f;
}

/*
 * Of 16 bits, whose ends give the same as one step inside of them, 7 are the part of the way: both
 * entries times 128 - part and part.
 */
#define VALUE(x)                                                                                   \
    "ssat " x ", #16, " x "; asr %[t], " x ", #7; ldr %[t], [%[table], %[t], lsl #1]\n"            \
    "ubfx " x ", " x ", #0, #7; mla " x ", " x ", %[spread], %[whole]\n"                           \
    "smlad " x ", %[t], " x ", %[rounding]; asr " x ", " x ", %[shift]\n"

#define WITH_FUNCTION                                                                              \
    : [at] "+r"(gates), [t] "=&r"(t)                                                               \
    : [table] "r"(table), [rounding] "r"(rounding), [shift] "r"(shift), [spread] "r"(65535),       \
      [whole] "r"(128)                                                                             \
    : "r4", "r5", "r6", "r8", "cc", "memory"

/* Values of a function in place of what it is given. */
static __attribute__((noinline)) void values_of(const function_t *f, int32_t *gates, size_t count)
{
    const int16_t *const table = f->table;
    const int32_t rounding = f->rounding;
    const uint32_t shift = f->shift;
    int32_t *const end = &gates[count];
    int32_t *const end_of_fours = &gates[count & ~(size_t)3U];
    uint32_t t;

    for (int32_t *at = gates; (f->limit != MOST) && (at != end); at++) {
        *at = mplan_clamp(*at, -f->limit, f->limit);
    }
    while (gates != end_of_fours) {
        __asm volatile("ldmia %[at], {r4-r6, r8}\n" VALUE("r4") VALUE("r5") VALUE("r6") VALUE("r8")
                       "stmia %[at]!, {r4-r6, r8}\n" WITH_FUNCTION);
    }
    while (gates != end) {
        __asm volatile("ldr r4, [%[at]]\n" VALUE("r4") "str r4, [%[at]], #4\n" WITH_FUNCTION);
    }
}

static inline int16_t short_of(int32_t value)
{
    int32_t q;

    __asm("ssat %0, #16, %1" : "=r"(q) : "r"(value));
    return (int16_t)((q < -MOST) ? -MOST : q);
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
    const uint32_t to = (p->third_is_tanh != 0U) ? (reach - 3U) : (reach - 4U);
    const function_t f = function_from(p, p->first_is_tanh, p->first_limit);
    const function_t g = function_from(p, p->second_is_tanh, p->second_limit);
    const function_t last = function_from(p, p->third_is_tanh, MOST);
    int32_t *const forget = &gates[2U * n];
    int16_t *const c = &h[n];

    peep(p, gates, 0U, c);
    peep(p, gates, 2U, c);
    if (p->peepholes == NULL) { /* o as well */
        values_of(&f, gates, 3U * n);
    } else {
        values_of(&f, gates, n);
        values_of(&f, forget, n);
    }
    values_of(&g, &gates[3U * n], n);
    for (size_t j = 0U; (j < n) && (p->input_forget != 0U); j++) {
        forget[j] = ONE - gates[j];
    }
    for (size_t j = 0U; j < n; j++) {
        const int32_t fresh = gates[j] * forget[n + j];

        c[j] = short_of(((forget[j] * c[j]) + ((fresh + half) >> reach) + HALF) >> 15);
        gates[j] = (int32_t)((uint32_t)(int32_t)c[j] << to);
    }
    if (p->peepholes != NULL) {
        peep(p, gates, 1U, c);
        values_of(&f, &gates[n], n);
    }
    values_of(&last, gates, n);
    for (size_t j = 0U; j < n; j++) {
        h[j] = short_of(((gates[n + j] * gates[j]) + HALF) >> 15);
    }
}

static void gru(const cell_t *p, const work_t *w, int16_t *h)
{
    const size_t n = p->hidden;
    const function_t f = function_from(p, p->first_is_tanh, p->first_limit);
    const function_t g = function_from(p, p->second_is_tanh, p->second_limit);
    int32_t *const gates = w->gates;
    int32_t *const candidates = &gates[2U * n];

    values_of(&f, gates, 2U * n);
    if (p->linear_before_reset == 0U) {
        for (size_t j = 0U; j < n; j++) {
            w->h[j] = (int16_t)((((gates[n + j] * h[j]) + HALF) >> 15) >> p->h_right);
        }
        add_h(p, w, 2U * n, 3U * n, 2U * n);
    } else {
        for (size_t j = 0U; j < n; j++) {
            const int64_t reset = (int64_t)gates[n + j] * candidates[n + j];

            candidates[j] += (int32_t)((reset + HALF) >> 15);
        }
    }
    values_of(&g, candidates, n);
    for (size_t j = 0U; j < n; j++) {
        const int32_t z = gates[j];

        h[j] = short_of((((ONE - z) * candidates[j]) + (z * h[j]) + HALF) >> 15);
    }
}

static void step(const cell_t *p, const work_t *w, const int8_t *x, int16_t *h)
{
    static const uint8_t gates_of[3] = {4U, 3U, 1U};
    const size_t n = p->hidden;
    const size_t rows = gates_of[p->kind] * n;
    const size_t more = (p->linear_before_reset != 0U) ? n : 0U;

    for (size_t i = 0U; i < p->in_c; i++) {
        w->x[i] = (int16_t)(x[i] * ((int32_t)1 << p->x_pre_shift));
    }
    for (size_t i = 0U; i < n; i++) {
        w->h[i] = (int16_t)(h[i] >> p->h_right);
    }
    (void)memcpy(w->gates, p->bias, (rows + more) * sizeof *w->gates);
    add_x(p, w, rows);
    if (p->kind == (uint8_t)CELL_LSTM) {
        add_h(p, w, 0U, rows, 0U);
        lstm(p, w->gates, h);
    } else if (p->kind == (uint8_t)CELL_GRU) {
        add_h(p, w, 0U, 2U * n, 0U);
        if (more != 0U) {
            add_h(p, w, 2U * n, rows, rows);
        }
        gru(p, w, h);
    } else {
        const function_t f = function_from(p, p->first_is_tanh, p->first_limit);

        add_h(p, w, 0U, rows, 0U);
        values_of(&f, w->gates, n);
        for (size_t j = 0U; j < n; j++) {
            h[j] = short_of(w->gates[j]);
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
    const int16_t *const end = &h[p->hidden];
    const uint32_t left = p->out_pre_shift;

    for (; h != end; h++) {
        int32_t q = (int32_t)((uint32_t)(int32_t)*h << left);

        __asm("smmlar %0, %0, %1, %2; ssat %0, #8, %0"
              : "+r"(q)
              : "r"(multiplier), "r"(zero_point));
        *to = (int8_t)q;
        to++;
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
