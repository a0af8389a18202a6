/* SPDX-License-Identifier: 0BSD */
#include "mplan_masked_attention_f32.h"
#include "mplan_math_f32.h"

static const float *floats(const int8_t *in, const mplan_rows_t *rows, size_t y)
{
    return (const float *)(const void *)&in[mplan_row(rows, y)];
}

/* What the mask adds to the score of a key. */
static float added(const mplan_masked_attention_f32_t *p, const int8_t *mask, size_t at)
{
    return (p->truth == 0U) ? ((const float *)(const void *)mask)[at]
                            : ((mask[at] != 0) ? 0.0f : p->hidden);
}

static void head(const mplan_masked_attention_f32_t *p, const float *query, const int8_t *in2,
                 const int8_t *in3, const int8_t *mask, size_t h, float *out, float *scores)
{
    const size_t from = h / p->shared;
    float largest = 0.0f;
    float total = 0.0f;

    for (size_t j = 0U; j < p->keys; j++) {
        const float *const key = &floats(in2, &p->in2_rows, j)[from * p->depth];
        float sum = 0.0f;

        for (size_t d = 0U; d < p->depth; d++) {
            sum += query[d] * key[d];
        }
        scores[j] = (sum * p->scale) + added(p, mask, (h * p->mask_head) + j);
        largest = ((j == 0U) || (scores[j] > largest)) ? scores[j] : largest;
    }
    for (size_t j = 0U; j < p->keys; j++) {
        scores[j] = mplan_exp_f32(scores[j] - largest);
        total += scores[j];
    }
    for (size_t e = 0U; e < p->width; e++) {
        float sum = 0.0f;

        for (size_t j = 0U; j < p->keys; j++) {
            sum += scores[j] * floats(in3, &p->in3_rows, j)[(from * p->width) + e];
        }
        out[e] = sum / total;
    }
}

MPLAN_KERNEL
void mplan_masked_attention_f32(const mplan_masked_attention_f32_t *p, const int8_t *in,
                                const int8_t *in2, const int8_t *in3, const int8_t *in4,
                                int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    for (size_t y = y0; y < y1; y++) {
        const float *const queries = floats(in, &p->in_rows, y);
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];
        const int8_t *const mask = &in4[mplan_row(&p->in4_rows, y * p->mask_moves)];

        for (size_t h = 0U; h < p->heads; h++) {
            head(p, &queries[h * p->depth], in2, in3, mask, h, &to[h * p->width],
                 (float *)(void *)scratch);
        }
    }
}
