/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_attention_s8_dsp.h"
#include "mplan_lines_s8_dsp.h"

#define WIDTH 4U /* values that share a weight */

/* Of one head: what all keys are multiplied by, and what becomes of them. */
typedef struct {
    const mplan_attention_s8_dsp_t *p;
    const uint32_t *query; /* widened as {0, 2}, {1, 3} */
    uint32_t *weights;     /* first scores */
    size_t seen;           /* keys */
    uint32_t sum;          /* of the weights */
} head_t;

static inline int32_t dual(uint32_t a, uint32_t b, int32_t sum)
{
    int32_t result;

    __asm("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

static inline uint32_t even_of(uint32_t bytes)
{
    uint32_t halves;

    __asm("sxtb16 %0, %1" : "=r"(halves) : "r"(bytes));
    return halves;
}

static inline uint32_t odd_of(uint32_t bytes)
{
    uint32_t halves;

    __asm("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
}

/* A query in steps from its zero point, filled up with 0. */
static void widen(const mplan_attention_s8_dsp_t *p, const int8_t *from, uint32_t *to)
{
    const uint32_t lowered = (uint32_t)(uint16_t)(-(int32_t)p->in_zero_point) * 0x00010001U;

    for (size_t d = 0U; d < p->depth; d += 4U) {
        uint32_t bytes = (uint32_t)(uint8_t)p->in_zero_point * 0x01010101U;

        (void)memcpy(&bytes, &from[d], ((p->depth - d) < 4U) ? (p->depth - d) : 4U);
        to[0] = mplan_widened(lowered, bytes);
        to[1] = mplan_widened(lowered, (bytes >> 8) | (bytes << 24));
        to = &to[2];
    }
}

/* Scores of two keys. */
static void score_two(const head_t *h, const int8_t *key0, const int8_t *key1, int32_t *scores)
{
    const size_t rest = h->p->depth % 4U;
    const int8_t *const end = &key0[h->p->depth - rest];
    const uint32_t *query = h->query;
    int32_t sum0 = 0;
    int32_t sum1 = 0;

    while (key0 != end) {
        const uint32_t even = query[0];
        const uint32_t odd = query[1];
        const uint32_t bytes0 = mplan_word_at(key0);
        const uint32_t bytes1 = mplan_word_at(key1);

        sum0 = dual(even, even_of(bytes0), sum0);
        sum1 = dual(even, even_of(bytes1), sum1);
        sum0 = dual(odd, odd_of(bytes0), sum0);
        sum1 = dual(odd, odd_of(bytes1), sum1);
        query = &query[2];
        key0 = &key0[4];
        key1 = &key1[4];
    }
    if (rest > 0U) {
        uint32_t bytes[2] = {0U, 0U};

        (void)memcpy(&bytes[0], key0, rest);
        (void)memcpy(&bytes[1], key1, rest);
        sum0 = dual(query[1], odd_of(bytes[0]), dual(query[0], even_of(bytes[0]), sum0));
        sum1 = dual(query[1], odd_of(bytes[1]), dual(query[0], even_of(bytes[1]), sum1));
    }
    scores[0] = sum0;
    scores[1] = sum1;
}

/* Scores of all keys; the largest. */
static int32_t score_all(const head_t *h, const int8_t *keys)
{
    int32_t *const scores = (int32_t *)(void *)h->weights;
    int32_t largest = INT32_MIN;

    for (size_t j = 0U; j < h->seen; j += 2U) {
        const size_t next = ((j + 1U) < h->seen) ? (j + 1U) : j;
        int32_t two[2];

        score_two(h, &keys[mplan_row(&h->p->in2_rows, j)], &keys[mplan_row(&h->p->in2_rows, next)],
                  two);
        scores[next] = two[1];
        scores[j] = two[0];
        largest = (two[0] > largest) ? two[0] : largest;
        largest = (two[1] > largest) ? two[1] : largest;
    }
    return largest;
}

/* Scores become weights 2^-y, y along a line between two entries of the table. */
static uint32_t weigh(const head_t *h, int32_t largest)
{
    const mplan_attention_s8_dsp_t *const p = h->p;
    const uint32_t *const table = p->exponentials;
    const uint32_t limit = (uint32_t)p->limit;
    const uint32_t factor = (uint32_t)p->factor;
    const uint32_t shift = p->factor_shift;
    const uint64_t half = (uint64_t)1U << (shift - 1U);
    uint32_t sum = 0U;

    for (size_t j = 0U; j < h->seen; j++) {
        const uint32_t below = (uint32_t)(largest - (int32_t)h->weights[j]);
        uint32_t weight = 0U;

        if (below <= limit) {
            const uint64_t product = ((uint64_t)below * factor) + half;
            const uint32_t high = (uint32_t)(product >> 32);
            const uint32_t low = (uint32_t)product;
            const uint32_t y = (shift < 32U) ? ((low >> shift) | (high << (32U - shift)))
                                             : (high >> (shift - 32U));
            const uint32_t whole = y >> 16;
            const uint32_t *const entry = &table[(y >> 11) & 31U];
            const uint32_t rest = (entry[0] - entry[1]) * (y & 2047U);
            const uint32_t between = entry[0] - ((rest + 1024U) >> 11);

            weight = (between + (((uint32_t)1U << whole) >> 1)) >> whole;
        }
        h->weights[j] = weight;
        sum += weight;
    }
    return sum;
}

/* Four values times their weight, of keys at equal distance. */
static void add_four(const uint32_t *weight, const uint32_t *end, const int8_t *values,
                     size_t stride, int64_t *sums)
{
    int64_t sum0 = sums[0];
    int64_t sum1 = sums[1];
    int64_t sum2 = sums[2];
    int64_t sum3 = sums[3];

    while (weight != end) {
        const uint32_t bytes = mplan_word_at(values);
        const int64_t factor = (int32_t)*weight;

        sum0 += factor * (int8_t)bytes;
        sum1 += factor * (int8_t)(bytes >> 8);
        sum2 += factor * (int8_t)(bytes >> 16);
        sum3 += factor * (int8_t)(bytes >> 24);
        values = &values[stride];
        weight++;
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* Of all keys, one by one where a table has their rows. */
static void add_fours(const head_t *h, const int8_t *values, int64_t *sums)
{
    const mplan_rows_t *const rows = &h->p->in3_rows;
    const size_t count = (rows->table == NULL) ? h->seen : 1U;

    for (size_t j = 0U; j < h->seen; j += count) {
        add_four(&h->weights[j], &h->weights[j + count], &values[mplan_row(rows, j)], rows->stride,
                 sums);
    }
}

static int64_t add_one(const head_t *h, const int8_t *values)
{
    int64_t sum = 0;

    for (size_t j = 0U; j < h->seen; j++) {
        sum += (int64_t)(int32_t)h->weights[j] * values[mplan_row(&h->p->in3_rows, j)];
    }
    return sum;
}

/* Means of values. */
static void divide(const head_t *h, const int64_t *sums, size_t count, int8_t *out)
{
    const mplan_attention_s8_dsp_t *const p = h->p;
    const int64_t beside = (int64_t)h->sum * p->in3_zero_point;
    uint32_t shift = 0U;
    uint32_t reciprocal;

    while ((h->sum >> shift) > 65535U) {
        shift++;
    }
    reciprocal = (0x80000000U + ((h->sum >> shift) >> 1)) / (h->sum >> shift);
    for (size_t e = 0U; e < count; e++) {
        const int64_t share = ((sums[e] - beside) >> shift) * (int64_t)reciprocal;
        const int32_t result =
            mplan_scale((int32_t)(share >> 15), p->multiplier, p->pre_shift) + p->out_zero_point;

        out[e] = (int8_t)mplan_clamp(result, -128, 127);
    }
}

static void head(head_t *h, const int8_t *keys, const int8_t *values, int8_t *out)
{
    const size_t width = h->p->width;
    size_t e = 0U;

    h->sum = weigh(h, score_all(h, keys));
    for (; (e + WIDTH) <= width; e += WIDTH) {
        int64_t sums[WIDTH] = {0, 0, 0, 0};

        add_fours(h, &values[e], sums);
        divide(h, sums, WIDTH, &out[e]);
    }
    for (; e < width; e++) {
        const int64_t sum = add_one(h, &values[e]);

        divide(h, &sum, 1U, &out[e]);
    }
}

MPLAN_KERNEL
void mplan_attention_s8_dsp(const mplan_attention_s8_dsp_t *p, const int8_t *in, const int8_t *in2,
                            const int8_t *in3, int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    uint32_t *const query = (uint32_t *)(void *)scratch;
    head_t h;

    h.p = p;
    h.query = query;
    h.weights = &query[((p->depth + 3U) / 4U) * 2U];
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const queries = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        h.seen = (size_t)p->first_seen + ((p->causal != 0U) ? y : 0U);
        for (size_t i = 0U; i < p->heads; i++) {
            const size_t from = i / p->shared;

            widen(p, &queries[i * p->depth], query);
            head(&h, &in2[from * p->depth], &in3[from * p->width], &to[i * p->width]);
        }
    }
}
