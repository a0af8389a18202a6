/* SPDX-License-Identifier: 0BSD */
#include "mplan_masked_attention_s8.h"

#define WIDTH 4U /* values that share a weight */

static int32_t score(const mplan_masked_attention_s8_t *p, const int8_t *query, const int8_t *key)
{
    int32_t sum = 0;

    for (size_t d = 0U; d < p->depth; d++) {
        sum += ((int32_t)query[d] - p->in_zero_point) * key[d];
    }
    return sum;
}

/* 2^-y for a logarithm y below the largest, along a line between two entries. */
static uint32_t weight_of(const mplan_masked_attention_s8_t *p, uint32_t y)
{
    const uint32_t whole = y >> 16;
    const uint32_t *const entry = &p->exponentials[(y >> 11) & 31U];
    const uint32_t between = entry[0] - (((entry[0] - entry[1]) * (y & 2047U)) >> 11);

    return between >> whole;
}

/* Scores become weights; returns their sum. */
static uint32_t weigh(const mplan_masked_attention_s8_t *p, const int32_t *scores,
                      uint32_t *weights, size_t seen, int32_t largest)
{
    uint32_t sum = 0U;

    for (size_t j = 0U; j < seen; j++) {
        const uint32_t below = (uint32_t)largest - (uint32_t)scores[j];

        weights[j] = (below <= (uint32_t)p->limit) ? weight_of(p, below << p->coarse) : 0U;
        sum += weights[j];
    }
    return sum;
}

/* Means of at most four values of each key. The zero point has the weight of all of them. */
static void means(const mplan_masked_attention_s8_t *p, const uint32_t *weights, size_t seen,
                  uint32_t sum, const int8_t *values, size_t count, int8_t *out)
{
    const int64_t beside = (int64_t)sum * p->in3_zero_point;
    int64_t sums[WIDTH] = {0, 0, 0, 0};
    uint32_t shift = 0U;
    uint32_t reciprocal;

    for (size_t j = 0U; j < seen; j++) {
        const int8_t *const value = &values[mplan_row(&p->in3_rows, j)];
        const int64_t weight = (int64_t)weights[j];

        for (size_t e = 0U; e < count; e++) {
            sums[e] += (weight * value[e]) >> p->drop;
        }
    }
    while ((sum >> shift) > 32767U) {
        shift++;
    }
    sum >>= shift;
    reciprocal = (0x80000000U + (sum >> 1)) / sum;
    for (size_t e = 0U; e < count; e++) {
        const int64_t steps = (sums[e] * ((int64_t)1 << p->drop)) - beside;
        const int64_t share = (steps >> shift) * (int64_t)reciprocal;
        const int32_t result =
            mplan_scale((int32_t)(share >> 15), p->multiplier, p->pre_shift) + p->out_zero_point;

        out[e] = (int8_t)mplan_clamp(result, -128, 127);
    }
}

static void head(const mplan_masked_attention_s8_t *p, const int8_t *query, const int8_t *keys,
                 const int8_t *values, const int8_t *mask, int8_t *out, int8_t *scratch)
{
    int32_t *const scores = (int32_t *)(void *)scratch;
    uint32_t *const weights = (uint32_t *)(void *)scratch;
    const size_t seen = p->keys;
    int32_t largest = 0;
    uint32_t sum;

    for (size_t j = 0U; j < seen; j++) {
        const int32_t products = score(p, query, &keys[mplan_row(&p->in2_rows, j)]);

        scores[j] = mplan_scale(products, p->factor, p->factor_shift) +
                    p->mask[(int32_t)mask[j] - p->mask_first];
        largest = ((j == 0U) || (scores[j] > largest)) ? scores[j] : largest;
    }
    sum = weigh(p, scores, weights, seen, largest);
    for (size_t e = 0U; e < p->width; e += WIDTH) {
        const size_t count = ((p->width - e) < WIDTH) ? (p->width - e) : WIDTH;

        means(p, weights, seen, sum, &values[e], count, &out[e]);
    }
}

MPLAN_KERNEL
void mplan_masked_attention_s8(const mplan_masked_attention_s8_t *p, const int8_t *in,
                               const int8_t *in2, const int8_t *in3, const int8_t *in4,
                               int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const queries = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];
        const int8_t *const mask = &in4[mplan_row(&p->in4_rows, y * p->mask_moves)];

        for (size_t h = 0U; h < p->heads; h++) {
            const size_t from = h / p->shared;

            head(p, &queries[h * p->depth], &in2[from * p->depth], &in3[from * p->width],
                 &mask[h * p->mask_head], &to[h * p->width], scratch);
        }
    }
}
