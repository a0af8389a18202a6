/* SPDX-License-Identifier: 0BSD */
#include "mplan_attention_lines_s8_dsp.h"
#include "mplan_attention_s8_dsp.h"

#define WIDTH 4U /* values that share a weight */

/* Two queries of a head, and what becomes of them. */
typedef struct {
    const mplan_attention_s8_dsp_t *p;
    uint32_t *query;    /* widened, of one head after the other */
    int32_t *weights;   /* first scores: [keys][2] */
    size_t seen[2];     /* keys */
    int32_t beside[2];  /* what the zero point of the values adds to sums */
    uint32_t shift[2];  /* bits of them that are left out */
    int32_t inverse[2]; /* 2^40 / the sum of the weights without so many */
} pair_t;

/* The weight 2^-y of a score, y along a line between two entries of the table. */
static inline uint32_t weight_of(const mplan_attention_s8_dsp_t *p, const uint32_t *table,
                                 uint32_t below)
{
    uint32_t weight = 0U;

    if (below <= (uint32_t)p->limit) {
        const uint32_t *entry;
        uint32_t y;

        __asm("smmulr %0, %1, %2" : "=r"(y) : "r"(below << p->factor_shift), "r"(p->factor));
        entry = &table[(y >> 11) & 31U];
        weight = (entry[0] - (((entry[0] - entry[1]) * (y & 2047U)) >> 11)) >> (y >> 16);
    }
    return weight;
}

/* Scores of a query become weights, as products of values want them; their sum. */
static uint32_t weigh_scores(const mplan_attention_s8_dsp_t *own, int32_t *at, const int32_t *end)
{
    const mplan_attention_s8_dsp_t p = *own; /* no store changes it */
    const uint32_t *const table = p.exponentials;
    const uint32_t up = 16U - p.drop;
    int32_t largest = at[0];
    uint32_t sum = 0U;

    for (const int32_t *s = at; s < end; s = &s[4]) {
        largest = (s[0] > largest) ? s[0] : largest;
        largest = (s[2] > largest) ? s[2] : largest;
    }
    for (; at < end; at = &at[4]) {
        const uint32_t weight = weight_of(&p, table, (uint32_t)largest - (uint32_t)at[0]);
        const uint32_t next = weight_of(&p, table, (uint32_t)largest - (uint32_t)at[2]);

        sum += weight + next;
        at[0] = (int32_t)(weight << up);
        at[2] = (int32_t)(next << up);
    }
    return sum;
}

/* Of query i of two; a key that only the other one sees, or none, has no weight. */
static void weigh(pair_t *q, size_t i)
{
    const size_t keys = (q->seen[1] + 1U) & ~(size_t)1U;
    uint32_t sum;
    uint32_t shift;

    for (size_t j = q->seen[i]; j < keys; j++) {
        q->weights[(2U * j) + i] = INT32_MIN;
    }
    sum = weigh_scores(q->p, &q->weights[i], &q->weights[2U * keys]);
    shift = 17U - (uint32_t)__builtin_clz(sum); /* the largest weight alone has drop + 14 bits */
    q->beside[i] = (int32_t)(-((int64_t)sum * q->p->in3_zero_point) >> q->p->drop);
    q->shift[i] = shift - q->p->drop;
    sum >>= shift;
    q->inverse[i] = (int32_t)(((0x80000000U + (sum >> 1)) / sum) << 9);
}

/* Sums of one query become means. */
static void divide(const pair_t *q, size_t i, const int32_t *sums, size_t count, int8_t *out)
{
    const mplan_attention_s8_dsp_t *const p = q->p;
    const int32_t beside = q->beside[i];
    const uint32_t shift = q->shift[i];
    const int32_t inverse = q->inverse[i];
    const int32_t multiplier = p->multiplier;
    const uint32_t pre_shift = p->pre_shift;
    const int32_t zero_point = p->out_zero_point;

    for (size_t e = 0U; e < count; e++) {
        const int32_t steps = (sums[e] + beside) >> shift; /* 24 bits */
        const int32_t share = (int32_t)(((int64_t)(steps * 256) * inverse) >> 32);
        int32_t result;

        __asm("smmlar %0, %1, %2, %3\n"
              "ssat %0, #8, %0"
              : "=r"(result)
              : "r"((uint32_t)share << pre_shift), "r"(multiplier), "r"(zero_point));
        out[e] = (int8_t)result;
    }
}

static void head(pair_t *q, const uint32_t *query, const int8_t *keys, const int8_t *values,
                 int8_t *const *outs)
{
    const mplan_attention_s8_dsp_t *const p = q->p;
    mplan_scores_t scores = {query, query, 0, 0, 0U, NULL, 0U};
    mplan_sums_t job;

    mplan_score_all(&scores, &p->in2_rows, keys, q->seen[1], p->depth, q->weights);
    weigh(q, 0U);
    weigh(q, 1U);
    for (size_t e = 0U; e < p->width; e += WIDTH) {
        const size_t count = ((p->width - e) < WIDTH) ? (p->width - e) : WIDTH;

        mplan_sum_values(&job, &p->in3_rows, &values[e], q->seen[1], count, q->weights);
        divide(q, 0U, job.sums, count, &outs[0][e]);
        divide(q, 1U, &job.sums[WIDTH], count, &outs[1][e]);
    }
}

/* Two rows, or one twice: all that they read is widened before the first byte is written. */
static void two_rows(pair_t *q, const int8_t *const *from, const int8_t *in2, const int8_t *in3,
                     int8_t *const *to)
{
    const mplan_attention_s8_dsp_t *const p = q->p;
    const mplan_queries_t queries = {p->depth, p->heads, p->in_zero_point, p->by_rows};

    mplan_widen_heads(&queries, from, q->query);
    for (size_t h = 0U; h < p->heads; h++) {
        const size_t of = h / p->shared;
        int8_t *const outs[2] = {&to[0][h * p->width], &to[1][h * p->width]};

        head(q, mplan_head_queries(&queries, from, h, q->query), &in2[of * p->depth],
             &in3[of * p->width], outs);
    }
}

MPLAN_KERNEL
void mplan_attention_s8_dsp(const mplan_attention_s8_dsp_t *p, const int8_t *in, const int8_t *in2,
                            const int8_t *in3, int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    const size_t step = (p->by_rows != 0U) ? 1U : 2U;
    pair_t q = {p, NULL, NULL, {0U, 0U}, {0, 0}, {0U, 0U}, {0, 0}};

    q.weights = (int32_t *)(void *)scratch;
    q.query = &((uint32_t *)(void *)scratch)[2U * ((p->keys + 1U) & ~(uint32_t)1U)];
    for (size_t y = y0; y < y1; y += step) {
        const size_t last = (((y + step) < y1) ? (y + step) : y1) - 1U;
        const int8_t *const from[2] = {&in[mplan_row(&p->in_rows, y)],
                                       &in[mplan_row(&p->in_rows, last)]};
        int8_t *const to[2] = {&out[mplan_row(&p->out_rows, y)],
                               &out[mplan_row(&p->out_rows, last)]};

        q.seen[0] = (size_t)p->first_seen + ((p->causal != 0U) ? y : 0U);
        q.seen[1] = (size_t)p->first_seen + ((p->causal != 0U) ? last : 0U);
        two_rows(&q, from, in2, in3, to);
    }
}
