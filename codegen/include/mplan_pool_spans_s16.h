/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_pool_spans_s16.h - windows of a pool over three axes, int16, and what becomes of sums.
 *
 * A kernel includes it behind pool_t, its parameters, which mplan_pool3d_s16.h tells; its own are
 * pool_block, some channels of an output pixel.
 */
#ifndef MPLAN_POOL_SPANS_S16_H
#define MPLAN_POOL_SPANS_S16_H

#include "mplan_pool_spans.h"

/* sum / count, halves to even. */
static int32_t divided(int32_t sum, int32_t count)
{
    const uint32_t magnitude = (sum < 0) ? (0U - (uint32_t)sum) : (uint32_t)sum;
    const uint32_t divisor = (uint32_t)count;
    const uint32_t whole = magnitude / divisor;
    const uint32_t twice = 2U * (magnitude - (whole * divisor));
    const uint32_t up =
        ((twice > divisor) || ((twice == divisor) && ((whole & 1U) != 0U))) ? 1U : 0U;
    const int32_t result = (int32_t)(whole + up);

    return (sum < 0) ? -result : result;
}

static int16_t average(const pool_t *p, int32_t sum, const span_t spans[3])
{
    const int32_t all = spans[0].count * spans[1].count * spans[2].count;
    const int32_t count = (p->mode > (uint8_t)SUM) ? all : 1;
    int32_t result;

    if (p->multiplier == NULL) {
        result = divided(sum, count);
    } else {
        const size_t i = (size_t)count - p->first_count;

        result = mplan_scale(sum, p->multiplier[i], p->pre_shift[i]);
    }
    return (int16_t)mplan_clamp(result + p->out_zero_point, -32768, 32767);
}

/* `channels` channels from c on of one output pixel. */
static void pool_block(const pool_t *p, const int8_t *in, int16_t *out, const span_t spans[3],
                       size_t c, size_t channels);

static void pool_row(const pool_t *p, const int8_t *in, int16_t *out, span_t spans[3])
{
    int16_t *to = out;

    for (size_t h = 0U; h < p->out_h; h++) {
        const int32_t place_h = ((int32_t)h * (int32_t)p->stride_h) - (int32_t)p->pad_h;

        spans[1] =
            span_of(place_h, p->dilation_h, p->kernel_h, p->in_h, p->before_h, p->after_h);
        for (size_t w = 0U; w < p->out_w; w++) {
            const int32_t place_w = ((int32_t)w * (int32_t)p->stride_w) - (int32_t)p->pad_w;

            spans[2] =
                span_of(place_w, p->dilation_w, p->kernel_w, p->in_w, p->before_w, p->after_w);
            for (size_t c = 0U; c < p->channels; c += BLOCK) {
                const size_t left = (size_t)p->channels - c;

                pool_block(p, in, to, spans, c, (left < BLOCK) ? left : BLOCK);
            }
            to = &to[p->channels];
        }
    }
}

#endif /* MPLAN_POOL_SPANS_S16_H */
