/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_inverse_root.h"
#include "mplan_normalize_s8_dsp.h"

typedef struct {
    int32_t sum;
    int32_t squares; /* below 2^31 */
} sums_t;

/* unit = q * factor + minus, in 2^-unit_bits */
typedef struct {
    uint32_t factor;
    uint32_t minus;
} unit_t;

/* What is inlined shares too few registers. */
#define NOT_INLINE __attribute__((noinline))

#define FEW 8U /* channels: pixel by pixel for each of them, not run by run */

/* Bytes of a word: in 2^-unit_bits, times gain, plus offset, saturated to int8. */
#define ONE(w, n, gain, offset)                                                                    \
    "sxtb %[a], %[" #w "], ror #" #n "; mla %[a], %[a], %[factor], %[minus]\n"                     \
    "smmlar %[a], %[a], " #gain ", " #offset "; ssat %[a], #8, %[a], asr #10\n"                    \
    "strb %[a], [%[out]], #1\n"
#define TWO(w, n, next)                                                                            \
    "ldmia %[at]!, {r8, r10, r12, lr}\n" ONE(w, n, r8, r10) ONE(w, next, r12, lr)

/* Bytes 0 and 2, then 1 and 3 of a word. */
#define SUMS(w)                                                                                    \
    "sxtb16 %[even], %[" #w "]; sxtb16 %[odd], %[" #w "], ror #8\n"                                \
    "smlad %[sum], %[even], %[ones], %[sum]; smlad %[squares], %[even], %[even], %[squares]\n"     \
    "smlad %[sum], %[odd], %[ones], %[sum]; smlad %[squares], %[odd], %[odd], %[squares]\n"

/* At any address: one load. */
static inline uint32_t word_at(const int8_t *in)
{
    uint32_t word;

    (void)memcpy(&word, in, sizeof word);
    return word;
}

static inline void add_run(sums_t *sums, const int8_t *in, size_t count)
{
    const int8_t *const end = &in[count - (count % 16U)];
    const int8_t *const last = &in[count];
    const int32_t ones = 0x00010001;
    int32_t sum = sums->sum;
    int32_t squares = sums->squares;

    while (in != end) {
        const uint32_t w = word_at(in);
        const uint32_t w1 = word_at(&in[4]);
        const uint32_t w2 = word_at(&in[8]);
        const uint32_t w3 = word_at(&in[12]);
        int32_t even;
        int32_t odd;

        in = &in[16];
        __asm(SUMS(w) SUMS(w1) SUMS(w2) SUMS(w3)
              : [even] "=&r"(even), [odd] "=&r"(odd), [sum] "+r"(sum), [squares] "+r"(squares)
              : [w] "r"(w), [w1] "r"(w1), [w2] "r"(w2), [w3] "r"(w3), [ones] "r"(ones));
    }
    while (in != last) {
        const int32_t q = *in;

        in = &in[1];
        sum += q;
        squares += q * q;
    }
    sums->sum = sum;
    sums->squares = squares;
}

static NOT_INLINE void add_pixels(const mplan_normalize_s8_dsp_t *p, sums_t *sums,
                                  const int8_t *in)
{
    const size_t step = (size_t)p->groups * p->channels;
    const size_t end = p->pixels * step;

    if (p->channels < FEW) {
        int32_t sum = 0;
        int32_t squares = 0;

        for (size_t c = 0U; c < p->channels; c++) {
            for (size_t x = c; x < end; x += step) {
                const int32_t q = in[x];

                sum += q;
                squares += q * q;
            }
        }
        sums->sum = sum;
        sums->squares = squares;
    } else {
        for (size_t x = 0U; x != end; x += step) {
            add_run(sums, &in[x], p->channels);
        }
    }
}

/* Bits from `right`, 1 at least, on: 32 of them. */
static inline uint32_t shifted(uint64_t value, uint32_t right)
{
    if (right < 32U) {
        return ((uint32_t)value >> right) | ((uint32_t)(value >> 32) << (32U - right));
    }
    return (uint32_t)(int32_t)((int64_t)value >> right);
}

/* Of a square of a norm from 1 on, with 12 bits of fraction. */
static inline void set_unit(unit_t *unit, uint64_t square, uint32_t n, int32_t total,
                            uint32_t unit_bits)
{
    const uint32_t high = (uint32_t)(square >> 32);
    const uint32_t low = (uint32_t)square;
    uint32_t mantissa;
    uint32_t shift;
    uint32_t root;

    if (high != 0U) {
        const uint32_t down = (uint32_t)(33 - __builtin_clz(high)) & ~1U;

        mantissa = (high << (32U - down)) | (low >> down);
        shift = (40U + (down / 2U)) - unit_bits;
    } else {
        const uint32_t up = (uint32_t)__builtin_clz(low) & ~1U;

        mantissa = low << up;
        shift = (40U - (up / 2U)) - unit_bits;
    }
    root = mplan_inverse_root(mantissa);
    unit->factor = shifted((uint64_t)n * root, shift);
    unit->minus = 0U - shifted((uint64_t)((int64_t)total * (int32_t)root), shift);
}

/* What n values with such sums make. */
static inline void make_unit(const mplan_normalize_s8_dsp_t *p, const sums_t *sums, uint32_t n,
                             unit_t *unit)
{
    const uint64_t least = ((uint64_t)p->least_high << 32) | p->least;
    const uint64_t epsilon = ((uint64_t)p->epsilon_high << 32) | p->epsilon;
    int32_t total = sums->sum;
    int64_t less = -((int64_t)total * total);
    uint64_t square;

    if (p->centered == 0U) {
        total = (int32_t)n * p->in_zero_point;
        less = (int64_t)total * (total - (2 * sums->sum));
    }
    square = (((uint64_t)n * (uint32_t)sums->squares) + (uint64_t)less) << 12;
    square += epsilon;
    set_unit(unit, (square < least) ? least : square, n, total, p->unit_bits);
}

static int8_t one(const unit_t *unit, const int32_t *affine, int32_t q)
{
    const int32_t value = (int32_t)(((uint32_t)q * unit->factor) + unit->minus);
    const int64_t product = (int64_t)value * affine[0];
    const int32_t fine = (int32_t)((product + 0x80000000U) >> 32) + affine[1];

    return (int8_t)mplan_clamp(fine >> 10, -128, 127);
}

static inline void write_run(const unit_t *unit, const int32_t *affine, const int8_t *in,
                                 int8_t *out, size_t count)
{
    const int8_t *const end = &in[count - (count % 8U)];
    const uint32_t factor = unit->factor;
    const uint32_t minus = unit->minus;

    while (in != end) {
        uint32_t w;
        uint32_t w2;
        int32_t a;

        __asm volatile("ldr %[w], [%[in]], #4; ldr %[w2], [%[in]], #4\n" TWO(w, 0, 8)
                           TWO(w, 16, 24) TWO(w2, 0, 8) TWO(w2, 16, 24)
                       : [a] "=&r"(a), [at] "+r"(affine), [out] "+r"(out), [in] "+r"(in),
                         [w] "=&r"(w), [w2] "=&r"(w2)
                       : [factor] "r"(factor), [minus] "r"(minus)
                       : "r8", "r10", "r12", "lr", "memory");
    }
    for (size_t i = 0U; i < (count % 8U); i++) {
        out[i] = one(unit, &affine[2U * i], in[i]);
    }
}

static NOT_INLINE void write_pixels(const mplan_normalize_s8_dsp_t *p, const unit_t *unit,
                                    const int32_t *affine, const int8_t *in, int8_t *out)
{
    const size_t step = (size_t)p->groups * p->channels;
    const size_t end = p->pixels * step;

    if (p->channels < FEW) {
        for (size_t c = 0U; c < p->channels; c++) {
            const int32_t pair[2] = {affine[2U * c], affine[(2U * c) + 1U]};

            for (size_t x = c; x < end; x += step) {
                out[x] = one(unit, pair, in[x]);
            }
        }
    } else {
        for (size_t x = 0U; x != end; x += step) {
            write_run(unit, affine, &in[x], &out[x], p->channels);
        }
    }
}

/* One group of channels of one pixel. */
static NOT_INLINE void pixel(const mplan_normalize_s8_dsp_t *p, const int32_t *affine,
                             const int8_t *in, int8_t *out)
{
    sums_t sums = {0, 0};
    unit_t unit;

    add_run(&sums, in, p->channels);
    make_unit(p, &sums, p->channels, &unit);
    write_run(&unit, affine, in, out, p->channels);
}

/* Pixels, each group of whose channels is normalized by itself. */
static void pixels(const mplan_normalize_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t count)
{
    const size_t channels = p->channels;
    const int32_t *const end = &p->affine[2U * channels * p->groups];
    const int32_t *affine = p->affine;

    for (size_t i = 0U; i < count; i++) {
        pixel(p, affine, in, out);
        in = &in[channels];
        out = &out[channels];
        affine = &affine[2U * channels];
        affine = (affine == end) ? p->affine : affine;
    }
}

static void block(const mplan_normalize_s8_dsp_t *p, const int8_t *in, int8_t *out)
{
    const size_t end = (size_t)p->groups * p->channels;

    for (size_t c = 0U; c != end; c += p->channels) {
        sums_t sums = {0, 0};
        unit_t unit;

        add_pixels(p, &sums, &in[c]);
        make_unit(p, &sums, p->pixels * p->channels, &unit);
        write_pixels(p, &unit, &p->affine[2U * c], &in[c], &out[c]);
    }
}

/* Rows that lie one behind the other, as inputs and as outputs, are one run. */
static size_t rows_of_run(const mplan_normalize_s8_dsp_t *p, size_t size, size_t rows)
{
    const uint32_t stride = p->in_rows.stride;
    const size_t run = ((p->in_rows.table == NULL) && (p->out_rows.table == NULL)) ? rows : 1U;

    return ((stride == size) && (p->out_rows.stride == stride)) ? run : 1U;
}

MPLAN_KERNEL
void mplan_normalize_s8_dsp(const mplan_normalize_s8_dsp_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1)
{
    const size_t size = (size_t)p->pixels * p->groups * p->channels;
    const size_t end = size * p->blocks;
    const size_t rows = rows_of_run(p, end, y1 - y0);

    for (size_t y = y0; y < y1; y += rows) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        if (p->pixels == 1U) {
            pixels(p, from, to, rows * p->blocks * p->groups);
        } else {
            for (size_t b = 0U; b != (rows * end); b += size) {
                block(p, &from[b], &to[b]);
            }
        }
    }
}
