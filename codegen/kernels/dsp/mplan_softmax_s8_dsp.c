/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_softmax_s8_dsp.h"

static uint32_t word_at(const int8_t *bytes)
{
    uint32_t word;

    (void)memcpy(&word, bytes, sizeof word);
    return word;
}

/* The larger one of each of four bytes. */
static inline uint32_t larger(uint32_t a, uint32_t b)
{
    uint32_t result;

    __asm volatile("ssub8 %0, %1, %2\n"
                   "sel %0, %1, %2"
                   : "=&r"(result)
                   : "r"(a), "r"(b)
                   : "cc");
    return result;
}

/* Four bytes at a time; the last four may be among those before. */
static int32_t largest(const int8_t *in, size_t count)
{
    int32_t max = in[0];

    if (count >= 4U) {
        uint32_t most = word_at(&in[count - 4U]);

        for (size_t c = 0U; (c + 4U) <= count; c += 4U) {
            most = larger(most, word_at(&in[c]));
        }
        most = larger(most, most >> 16);
        most = larger(most, most >> 8);
        max = (int8_t)(uint8_t)(most & 0xFFU);
    } else {
        for (size_t c = 1U; c < count; c++) {
            max = (in[c] > max) ? in[c] : max;
        }
    }
    return max;
}

static inline uint32_t power(const uint32_t *table, int32_t max, int8_t value)
{
    return table[max - value];
}

/* value * factor / 2^32 rounded, onto the zero point, as an int8. */
static inline int8_t share(uint32_t value, int32_t factor, int32_t zero_point)
{
    int32_t result;

    __asm("smmlar %0, %1, %2, %3\n"
          "ssat %0, #8, %0"
          : "=r"(result)
          : "r"(value), "r"(factor), "r"(zero_point));
    return (int8_t)result;
}

/* 2^32 / (sum * scale_out), as the portable kernel has it. */
static int32_t factor_of(uint32_t sum, uint32_t scale)
{
    const uint32_t zeros = (uint32_t)__builtin_clz(sum);
    const uint32_t shift = (zeros < 16U) ? (16U - zeros) : 0U;
    uint32_t reciprocal;

    sum >>= shift;
    reciprocal = (0x80000000U + (sum >> 1)) / sum;
    return (int32_t)((((uint64_t)reciprocal * scale) + ((uint64_t)1U << (13U + shift))) >>
                     (14U + shift));
}

static void pixel(const mplan_softmax_s8_dsp_t *p, const int8_t *in, int8_t *out)
{
    const size_t classes = p->classes;
    const size_t fours = classes & ~(size_t)3U;
    const int32_t zero_point = p->out_zero_point;
    const uint32_t *const table = p->exponentials;
    const int32_t max = largest(in, classes);
    uint32_t sum = 0U;
    int32_t factor;

    for (size_t c = 0U; c < fours; c += 4U) {
        sum += power(table, max, in[c]) + power(table, max, in[c + 1U]);
        sum += power(table, max, in[c + 2U]) + power(table, max, in[c + 3U]);
    }
    for (size_t c = fours; c < classes; c++) {
        sum += power(table, max, in[c]);
    }
    factor = factor_of(sum, p->scale);
    for (size_t c = 0U; c < fours; c += 4U) {
        const uint32_t e0 = power(table, max, in[c]);
        const uint32_t e1 = power(table, max, in[c + 1U]);
        const uint32_t e2 = power(table, max, in[c + 2U]);
        const uint32_t e3 = power(table, max, in[c + 3U]);

        out[c] = share(e0, factor, zero_point);
        out[c + 1U] = share(e1, factor, zero_point);
        out[c + 2U] = share(e2, factor, zero_point);
        out[c + 3U] = share(e3, factor, zero_point);
    }
    for (size_t c = fours; c < classes; c++) {
        out[c] = share(power(table, max, in[c]), factor, zero_point);
    }
}

MPLAN_KERNEL
void mplan_softmax_s8_dsp(const mplan_softmax_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->classes], &to[x * p->classes]);
        }
    }
}
