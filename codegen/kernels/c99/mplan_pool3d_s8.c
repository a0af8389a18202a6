/* SPDX-License-Identifier: 0BSD */
#include "mplan_pool3d_s8.h"
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

static int8_t average(const mplan_pool3d_s8_t *p, int32_t sum, const span_t spans[3])
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
    return (int8_t)mplan_clamp(result + p->out_zero_point, -128, 127);
}

/* One element more of each channel; the extremes are those of codes with their sign flipped. */
static void take(const mplan_pool3d_s8_t *p, int32_t *held, const int8_t *pixel, size_t channels)
{
    for (size_t i = 0U; i < channels; i++) {
        const int32_t value = (int32_t)(int8_t)((uint8_t)pixel[i] ^ p->flip_sign);

        if (p->mode == (uint8_t)LARGEST) {
            held[i] = (value > held[i]) ? value : held[i];
        } else if (p->mode == (uint8_t)LEAST) {
            held[i] = (value < held[i]) ? value : held[i];
        } else {
            held[i] += value - (int32_t)p->in_zero_point;
        }
    }
}

/* `channels` channels from c on of one output pixel. */
static void pool_block(const mplan_pool3d_s8_t *p, const int8_t *in, int8_t *out,
                       const span_t spans[3], size_t c, size_t channels)
{
    const int32_t ends[] = {-128, 127, 0, 0};
    int32_t held[BLOCK];

    for (size_t i = 0U; i < channels; i++) {
        held[i] = ends[p->mode];
    }
    for (int32_t d = spans[0].first; d < spans[0].end; d++) {
        const int8_t *const row = &in[mplan_row(&p->in_rows, index_of(&spans[0], d))];

        for (int32_t h = spans[1].first; h < spans[1].end; h++) {
            const size_t line = index_of(&spans[1], h) * p->in_w;

            for (int32_t w = spans[2].first; w < spans[2].end; w++) {
                const size_t pixel = line + index_of(&spans[2], w);

                take(p, held, &row[(pixel * p->channels) + c], channels);
            }
        }
    }
    for (size_t i = 0U; i < channels; i++) {
        const uint8_t extreme = (uint8_t)held[i] ^ p->flip_sign;

        out[c + i] = (p->mode < (uint8_t)SUM) ? (int8_t)extreme : average(p, held[i], spans);
    }
}

static void pool_row(const mplan_pool3d_s8_t *p, const int8_t *in, int8_t *out, span_t spans[3])
{
    int8_t *to = out;

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

MPLAN_KERNEL
void mplan_pool3d_s8(const mplan_pool3d_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t place = ((int32_t)y * (int32_t)p->stride_d) - (int32_t)p->pad_d;
        span_t spans[3];

        spans[0] = span_of(place, p->dilation_d, p->kernel_d, p->in_d, p->before_d, p->after_d);
        pool_row(p, in, &out[mplan_row(&p->out_rows, y)], spans);
    }
}
