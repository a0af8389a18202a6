/* SPDX-License-Identifier: 0BSD */
#include "mplan_rounded_attention_s8.h"

static int32_t score(const mplan_rounded_attention_s8_t *p, const int8_t *query, const int8_t *key)
{
    int32_t sum = 0;
    int32_t result;

    for (size_t d = 0U; d < p->depth; d++) {
        sum += ((int32_t)query[d] - p->in_zero_point) * ((int32_t)key[d] - p->in2_zero_point);
    }
    result = mplan_scale(sum, p->score_multiplier, p->score_shift) + p->score_zero_point;
    result = mplan_clamp(result, -128, 127);
    return (p->functions != NULL) ? p->functions[result + 128] : result;
}

/* Scores of all keys; the largest. */
static int32_t score_all(const mplan_rounded_attention_s8_t *p, const int8_t *query,
                         const int8_t *keys, const int8_t *mask, int8_t *scores)
{
    int32_t largest = -128;

    for (size_t j = 0U; j < p->keys; j++) {
        int32_t value = score(p, query, &keys[mplan_row(&p->in2_rows, j)]);

        if (mask != NULL) {
            const int32_t sum = p->mask_offset + (value * p->mask_multiplier) +
                                ((int32_t)mask[j] * p->mask_multiplier2);

            value = mplan_clamp((sum >> p->mask_shift) + p->mask_zero_point, -128, 127);
        }
        scores[j] = (int8_t)value;
        largest = (value > largest) ? value : largest;
    }
    return largest;
}

/* Scores become weights. */
static void weigh(const mplan_rounded_attention_s8_t *p, int32_t largest, int8_t *scores)
{
    uint32_t sum = 0U;
    uint32_t shift = 0U;
    uint32_t reciprocal;
    uint32_t factor;

    for (size_t j = 0U; j < p->keys; j++) {
        sum += p->exponentials[largest - scores[j]];
    }
    while ((sum >> shift) > 65535U) {
        shift++;
    }
    sum >>= shift;
    reciprocal = (0x80000000U + (sum >> 1)) / sum;
    factor = (uint32_t)((((uint64_t)reciprocal * p->share) + ((uint64_t)1U << (13U + shift))) >>
                        (14U + shift));
    for (size_t j = 0U; j < p->keys; j++) {
        const uint64_t share = (uint64_t)p->exponentials[largest - scores[j]] * factor;
        const int32_t rounded = (int32_t)((share + 0x80000000U) >> 32);

        scores[j] = (int8_t)mplan_clamp(rounded + p->weight_zero_point, -128, 127);
    }
}

static int8_t mean(const mplan_rounded_attention_s8_t *p, const int8_t *weights,
                   const int8_t *values)
{
    int32_t sum = 0;
    int32_t result;

    for (size_t j = 0U; j < p->keys; j++) {
        sum += ((int32_t)weights[j] - p->weight_zero_point) *
               ((int32_t)values[mplan_row(&p->in3_rows, j)] - p->in3_zero_point);
    }
    result = mplan_scale(sum, p->multiplier, p->pre_shift) + p->out_zero_point;
    return (int8_t)mplan_clamp(result, p->act_min, p->act_max);
}

MPLAN_KERNEL
void mplan_rounded_attention_s8(const mplan_rounded_attention_s8_t *p, const int8_t *in,
                                const int8_t *in2, const int8_t *in3, int8_t *out, size_t y0,
                                size_t y1, int8_t *scratch)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const queries = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t h = 0U; h < p->heads; h++) {
            const size_t from = h / p->shared;
            const int8_t *const mask =
                (p->mask != NULL) ? &p->mask[(y * p->mask_row) + (h * p->mask_head)] : NULL;

            const int32_t largest =
                score_all(p, &queries[h * p->depth], &in2[from * p->depth], mask, scratch);

            weigh(p, largest, scratch);
            for (size_t e = 0U; e < p->width; e++) {
                to[(h * p->width) + e] = mean(p, scratch, &in3[(from * p->width) + e]);
            }
        }
    }
}
