/* SPDX-License-Identifier: 0BSD */
#include "mplan_attention_lines_s8_dsp.h"
#include "mplan_rounded_attention_s8_dsp.h"

#define WIDTH 4U /* values that share a weight */

/* Two queries of a head, and what becomes of them. */
typedef struct {
    const mplan_rounded_attention_s8_dsp_t *p;
    uint32_t *query;    /* widened, of one head after the other */
    int32_t *weights;   /* first scores: [keys][2] */
    const int8_t *mask; /* of head 0 of query 0 */
    size_t mask_row;    /* from it to that of query 1 */
    int32_t beside[2];  /* what the zero point of the values adds to sums */
} pair_t;

/* (value << shift) * multiplier / 2^32 rounded, onto a zero point, as an int8. */
static inline int32_t scaled(int32_t value, uint32_t shift, int32_t multiplier, int32_t zero_point)
{
    int32_t result;

    __asm("smmlar %0, %1, %2, %3\n"
          "ssat %0, #8, %0"
          : "=r"(result)
          : "r"((uint32_t)value << shift), "r"(multiplier), "r"(zero_point));
    return result;
}

/* Sums of products become scores, and what the functions make of them; the largest. */
static int32_t score(const mplan_rounded_attention_s8_dsp_t *p, int32_t *at, const int32_t *end)
{
    const int8_t *const functions = (p->functions != NULL) ? &p->functions[128] : NULL;
    const uint32_t shift = p->score_shift;
    const int32_t multiplier = p->score_multiplier;
    const int32_t zero_point = p->score_zero_point;
    int32_t largest = -128;

    for (; at < end; at = &at[2]) {
        int32_t value = scaled(at[0], shift, multiplier, zero_point);

        value = (functions != NULL) ? functions[value] : value;
        at[0] = value;
        largest = (value > largest) ? value : largest;
    }
    return largest;
}

/* The sum of scores and a mask; the largest. */
static int32_t add_mask(const mplan_rounded_attention_s8_dsp_t *p, const int8_t *mask, int32_t *at,
                        const int32_t *end)
{
    int32_t largest = -128;

    for (; at < end; at = &at[2]) {
        const int32_t sum = p->mask_offset + (at[0] * p->mask_multiplier) +
                            ((int32_t)*mask * p->mask_multiplier2);

        at[0] = mplan_clamp((sum >> p->mask_shift) + p->mask_zero_point, -128, 127);
        largest = (at[0] > largest) ? at[0] : largest;
        mask = &mask[1];
    }
    return largest;
}

/* 2^32 / (sum * scale of the weights), as mplan_softmax_s8 has it. */
static int32_t factor_of(uint32_t sum, uint32_t scale)
{
    const uint32_t zeros = (uint32_t)__builtin_clz(sum);
    const uint32_t shift = (zeros < 16U) ? (16U - zeros) : 0U;
    const uint32_t shorter = sum >> shift;
    const uint64_t product = (uint64_t)((0x80000000U + (shorter >> 1)) / shorter) * scale;

    return (int32_t)(((((uint32_t)(product >> 32) << (19U - shift)) |
                       ((uint32_t)product >> (13U + shift))) +
                      1U) >>
                     1);
}

/* Scores of one query become weights in steps from their zero point, 16 bits up; their sum. */
static int32_t weigh(const mplan_rounded_attention_s8_dsp_t *p, int32_t largest, int32_t *scores,
                     const int32_t *end)
{
    const uint32_t *const table = &p->exponentials[largest];
    const int32_t zero_point = p->weight_zero_point;
    uint32_t sum = 0U;
    int32_t total = 0;
    int32_t factor;

    for (int32_t *at = scores; at < end; at = &at[2]) {
        const uint32_t weight = *(table - at[0]);

        sum += weight;
        at[0] = (int32_t)weight;
    }
    factor = factor_of(sum, p->share);
    for (int32_t *at = scores; at < end; at = &at[2]) {
        const int32_t steps = scaled(at[0], 0U, factor, zero_point) - zero_point;

        total += steps;
        at[0] = (int32_t)((uint32_t)steps << 16);
    }
    return total;
}

/* All of that for query i of two. */
static void weigh_query(pair_t *q, size_t i, size_t h)
{
    const mplan_rounded_attention_s8_dsp_t *const p = q->p;
    int32_t *const scores = &q->weights[i];
    const int32_t *const end = &q->weights[2U * p->keys];
    int32_t largest = score(p, scores, end);

    if (q->mask != NULL) {
        largest = add_mask(p, &q->mask[(i * q->mask_row) + (h * p->mask_head)], scores, end);
    }
    q->beside[i] = -weigh(p, largest, scores, end) * p->in3_zero_point;
}

static int8_t mean(const pair_t *q, int32_t sum)
{
    const mplan_rounded_attention_s8_dsp_t *const p = q->p;
    const int32_t result = scaled(sum, p->pre_shift, p->multiplier, p->out_zero_point);

    return (int8_t)mplan_clamp(result, p->act_min, p->act_max);
}

static void head(pair_t *q, const uint32_t *query, const int8_t *keys, const int8_t *values,
                 size_t h, int8_t *const *outs)
{
    const mplan_rounded_attention_s8_dsp_t *const p = q->p;
    const size_t fours = (p->depth + 3U) / 4U;
    mplan_scores_t scores = {query, query, 0, 0, 0U, NULL, 0U};
    mplan_sums_t job;

    for (size_t i = 0U; i < (4U * fours); i += 4U) {
        scores.start0 = mplan_halves_added(query[i], scores.start0);
        scores.start0 = mplan_halves_added(query[i + 1U], scores.start0);
        scores.start1 = mplan_halves_added(query[i + 2U], scores.start1);
        scores.start1 = mplan_halves_added(query[i + 3U], scores.start1);
    }
    scores.start0 *= -p->in2_zero_point;
    scores.start1 *= -p->in2_zero_point;
    mplan_score_all(&scores, &p->in2_rows, keys, p->keys, p->depth, q->weights);
    weigh_query(q, 0U, h);
    weigh_query(q, 1U, h);
    for (size_t e = 0U; e < p->width; e += WIDTH) {
        const size_t count = ((p->width - e) < WIDTH) ? (p->width - e) : WIDTH;

        mplan_sum_values(&job, &p->in3_rows, &values[e], p->keys, count, q->weights);
        for (size_t i = 0U; i < count; i++) {
            outs[0][e + i] = mean(q, job.sums[i] + q->beside[0]);
            outs[1][e + i] = mean(q, job.sums[WIDTH + i] + q->beside[1]);
        }
    }
}

/* Two rows, or one twice: all that they read is widened before the first byte is written. */
static void two_rows(pair_t *q, const int8_t *const *from, const int8_t *in2, const int8_t *in3,
                     int8_t *const *to)
{
    const mplan_rounded_attention_s8_dsp_t *const p = q->p;
    const mplan_queries_t queries = {p->depth, p->heads, p->in_zero_point, p->by_rows};

    mplan_widen_heads(&queries, from, q->query);
    for (size_t h = 0U; h < p->heads; h++) {
        const size_t of = h / p->shared;
        int8_t *const outs[2] = {&to[0][h * p->width], &to[1][h * p->width]};

        head(q, mplan_head_queries(&queries, from, h, q->query), &in2[of * p->depth],
             &in3[of * p->width], h, outs);
    }
}

MPLAN_KERNEL
void mplan_rounded_attention_s8_dsp(const mplan_rounded_attention_s8_dsp_t *p, const int8_t *in,
                                    const int8_t *in2, const int8_t *in3, int8_t *out, size_t y0,
                                    size_t y1, int8_t *scratch)
{
    const size_t step = (p->by_rows != 0U) ? 1U : 2U;
    pair_t q = {p, NULL, NULL, NULL, 0U, {0, 0}};

    q.weights = (int32_t *)(void *)scratch;
    q.query = &((uint32_t *)(void *)scratch)[2U * ((p->keys + 1U) & ~(uint32_t)1U)];
    for (size_t y = y0; y < y1; y += step) {
        const size_t last = (((y + step) < y1) ? (y + step) : y1) - 1U;
        const int8_t *const from[2] = {&in[mplan_row(&p->in_rows, y)],
                                       &in[mplan_row(&p->in_rows, last)]};
        int8_t *const to[2] = {&out[mplan_row(&p->out_rows, y)],
                               &out[mplan_row(&p->out_rows, last)]};

        q.mask = (p->mask != NULL) ? &p->mask[y * p->mask_row] : NULL;
        q.mask_row = (last - y) * p->mask_row;
        two_rows(&q, from, in2, in3, to);
    }
}
