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
    int32_t max;

    if (count >= 4U) {
        uint32_t most = word_at(&in[count - 4U]);

        for (size_t c = 0U; (c + 4U) <= count; c += 4U) {
            most = larger(most, word_at(&in[c]));
        }
        most = larger(most, most >> 16);
        most = larger(most, most >> 8);
        max = (int8_t)(uint8_t)(most & 0xFFU);
    } else {
        max = in[0];
        for (size_t c = 1U; c < count; c++) {
            max = (in[c] > max) ? in[c] : max;
        }
    }
    return max;
}

/* How far each of four bytes is below the largest. */
static inline uint32_t distances(uint32_t max, const int8_t *bytes)
{
    uint32_t result;

    __asm volatile("usub8 %0, %1, %2" : "=r"(result) : "r"(max), "r"(word_at(bytes)) : "cc");
    return result;
}

static inline uint32_t power(const uint32_t *table, uint32_t distance)
{
    return table[distance & 0xFFU];
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

/* The same of one of four, stored. */
#define SHARE(e, n)                                                                                \
    "smmlar %[" #e "], %[" #e "], %[factor], %[zero]; ssat %[" #e "], #8, %[" #e "]\n"             \
    "strb %[" #e "], [%[out], #" #n "]\n"

/* 2^32 / (sum * scale_out), as the portable kernel has it. */
static int32_t factor_of(uint32_t sum, uint32_t scale)
{
    const uint32_t zeros = (uint32_t)__builtin_clz(sum);
    const uint32_t shift = (zeros < 16U) ? (16U - zeros) : 0U;
    uint32_t reciprocal;
    uint64_t product;

    sum >>= shift;
    reciprocal = (0x80000000U + (sum >> 1)) / sum;
    product = (uint64_t)reciprocal * scale; /* below 2^45 */
    return (int32_t)(((((uint32_t)(product >> 32) << (19U - shift)) |
                       ((uint32_t)product >> (13U + shift))) +
                      1U) >>
                     1);
}

static void pixel(const mplan_softmax_s8_dsp_t *p, const int8_t *in, int8_t *out)
{
    const size_t classes = p->classes;
    const int8_t *const end = &in[classes];
    const int8_t *const end_of_fours = &in[classes & ~(size_t)3U];
    const int32_t zero_point = p->out_zero_point;
    const uint32_t *const table = p->exponentials;
    const uint32_t max = (uint32_t)largest(in, classes);
    const uint32_t four_max = (max & 0xFFU) * 0x01010101U;
    const int8_t *at = in;
    uint32_t sum = 0U;
    int32_t factor;

    for (; at != end_of_fours; at = &at[4]) {
        const uint32_t d = distances(four_max, at);

        sum += power(table, d) + power(table, d >> 8);
        sum += power(table, d >> 16) + power(table, d >> 24);
    }
    for (; at != end; at++) {
        sum += power(table, max - (uint32_t)(int32_t)*at);
    }
    factor = factor_of(sum, p->scale);
    for (at = in; at != end_of_fours; at = &at[4]) {
        const uint32_t d = distances(four_max, at);
        uint32_t e0 = power(table, d);
        uint32_t e1 = power(table, d >> 8);
        uint32_t e2 = power(table, d >> 16);
        uint32_t e3 = power(table, d >> 24);

        __asm volatile(SHARE(e0, 0) SHARE(e1, 1) SHARE(e2, 2) SHARE(e3, 3)
                       : [e0] "+r"(e0), [e1] "+r"(e1), [e2] "+r"(e2), [e3] "+r"(e3)
                       : [factor] "r"(factor), [zero] "r"(zero_point), [out] "r"(out)
                       : "memory");
        out = &out[4];
    }
    for (; at != end; at++) {
        *out = share(power(table, max - (uint32_t)(int32_t)*at), factor, zero_point);
        out++;
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
