/* SPDX-License-Identifier: 0BSD */
#include "mplan_normalize_s8.h"

#include "mplan_inverse_root.h"

/* Values that lie at equal distances, in several runs. */
typedef struct {
    size_t runs;
    size_t run_step;
    size_t count; /* of a run */
    size_t step;
    size_t affine_run; /* from run to run */
    size_t affine_step;
} walk_t;

typedef struct {
    int32_t sum;
    uint32_t squares; /* norm 1: distances from the zero point */
} sums_t;

/* unit = q * factor - mean, in 2^-unit_bits */
typedef struct {
    uint32_t factor;
    uint32_t mean;
} unit_t;

static void add_run(const mplan_normalize_s8_t *p, const walk_t *w, const int8_t *in, sums_t *sums)
{
    const size_t end = w->count * w->step;
    int32_t sum = sums->sum;
    uint32_t squares = sums->squares;

    if (p->norm == 1U) {
        for (size_t i = 0U; i != end; i += w->step) {
            const int32_t away = (int32_t)in[i] - p->in_zero_point;

            squares += (uint32_t)((away < 0) ? -away : away);
        }
    } else {
        for (size_t i = 0U; i != end; i += w->step) {
            const int32_t q = in[i];

            sum += q;
            squares += (uint32_t)(q * q);
        }
    }
    sums->sum = sum;
    sums->squares = squares;
}

/* n times the sum of squares of distances from the mean, or from the zero point. */
static uint64_t spread_of(const mplan_normalize_s8_t *p, const sums_t *sums, uint32_t n)
{
    const int32_t z = p->in_zero_point;
    const int64_t sum = sums->sum;
    int64_t squares = (int64_t)sums->squares * (int64_t)n;

    if (p->centered != 0U) {
        squares -= sum * sum;
    } else {
        squares += ((int64_t)n * z) * (((int64_t)n * z) - (2 * sum));
    }
    return (uint64_t)squares;
}

static uint64_t no_less(uint64_t value, uint64_t least)
{
    return (value < least) ? least : value;
}

/* Of 31 or 32 bits: a value from 1 to 2^63 - 1 over 4^half. */
static uint32_t mantissa_of(uint64_t value, int32_t *half)
{
    uint64_t mantissa = value;
    int32_t halved = 0;

    while (mantissa >= 0x100000000U) {
        mantissa >>= 2;
        halved++;
    }
    while (mantissa < 0x40000000U) {
        mantissa <<= 2;
        halved--;
    }
    *half = halved;
    return (uint32_t)mantissa;
}

/* The square of the norm, with 12 bits of fraction. */
static uint64_t square_of(const mplan_normalize_s8_t *p, const sums_t *sums, uint32_t n)
{
    const uint64_t least = ((uint64_t)p->least_high << 32) | p->least;
    uint64_t square;

    if (p->norm == 1U) {
        const uint64_t norm = ((uint64_t)sums->squares << 6) + p->norm_epsilon;

        square = norm * norm;
    } else {
        square = (spread_of(p, sums, n) << 12) + p->epsilon;
        square += (uint64_t)p->epsilon_high << 32;
    }
    square = no_less(square, least);
    if (p->norm == 3U) {
        int32_t half;
        const uint32_t mantissa = mantissa_of(square, &half);
        const uint64_t product = (uint64_t)mantissa * mplan_inverse_root(mantissa);
        const uint64_t root = product >> (uint32_t)(46 - half);
        const uint64_t norm = root + p->norm_epsilon;

        square = no_less(norm * norm, least);
    }
    return square;
}

static unit_t unit_of(const mplan_normalize_s8_t *p, const sums_t *sums, uint32_t n)
{
    int32_t half;
    const int64_t root = mplan_inverse_root(mantissa_of(square_of(p, sums, n), &half));
    const uint32_t shift = (uint32_t)(40 + half - (int32_t)p->unit_bits);
    const int64_t zero = (int64_t)n * p->in_zero_point;
    const int64_t total = (p->centered != 0U) ? (int64_t)sums->sum : zero;
    unit_t unit;

    unit.factor = (uint32_t)(uint64_t)(((int64_t)n * root) >> shift);
    unit.mean = (uint32_t)(uint64_t)((total * root) >> shift);
    return unit;
}

static void write_run(const walk_t *w, const unit_t *unit, const int32_t *affine, const int8_t *in,
                      int8_t *out)
{
    const size_t end = w->count * w->step;
    size_t at = 0U;

    for (size_t i = 0U; i != end; i += w->step) {
        const int32_t value = (int32_t)(((uint32_t)(int32_t)in[i] * unit->factor) - unit->mean);
        const int64_t product = (int64_t)value * affine[at];
        const int32_t fine = (int32_t)((product + 0x80000000U) >> 32) + affine[at + 1U];

        out[i] = (int8_t)mplan_clamp(fine >> 10, -128, 127);
        at += w->affine_step;
    }
}

static void block(const mplan_normalize_s8_t *p, const walk_t *w, const int8_t *in, int8_t *out)
{
    for (size_t group = 0U; group < p->groups; group++) {
        const size_t first = group * p->channels;
        sums_t sums = {0, 0U};
        unit_t unit;

        for (size_t run = 0U; run < w->runs; run++) {
            add_run(p, w, &in[first + (run * w->run_step)], &sums);
        }
        unit = unit_of(p, &sums, p->pixels * p->channels);
        for (size_t run = 0U; run < w->runs; run++) {
            const size_t at = first + (run * w->run_step);
            const int32_t *const affine = &p->affine[2U * (first + (run * w->affine_run))];

            write_run(w, &unit, affine, &in[at], &out[at]);
        }
    }
}

MPLAN_KERNEL
void mplan_normalize_s8(const mplan_normalize_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    const size_t all = (size_t)p->groups * p->channels;
    const size_t size = all * p->pixels;
    const walk_t by_pixel = {p->pixels, all, p->channels, 1U, 0U, 2U};
    const walk_t by_channel = {p->channels, 1U, p->pixels, all, 1U, 0U};
    const walk_t *const walk = (p->pixels > p->channels) ? &by_channel : &by_pixel;

    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t b = 0U; b < p->blocks; b++) {
            block(p, walk, &from[b * size], &to[b * size]);
        }
    }
}
