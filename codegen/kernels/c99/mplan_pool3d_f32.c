/* SPDX-License-Identifier: 0BSD */
#include "mplan_pool3d_f32.h"
#include "mplan_pool_spans.h"

/* One element more of each channel. */
static void take(uint8_t mode, float *held, const float *pixel, size_t channels)
{
    if (mode == (uint8_t)LARGEST) {
        for (size_t i = 0U; i < channels; i++) {
            held[i] = (pixel[i] > held[i]) ? pixel[i] : held[i];
        }
    } else if (mode == (uint8_t)LEAST) {
        for (size_t i = 0U; i < channels; i++) {
            held[i] = (pixel[i] < held[i]) ? pixel[i] : held[i];
        }
    } else {
        for (size_t i = 0U; i < channels; i++) {
            held[i] += pixel[i];
        }
    }
}

/* `channels` channels from c on of one output pixel. */
static void pool_block(const mplan_pool3d_f32_t *p, const int8_t *in, float *out,
                       const span_t spans[3], size_t c, size_t channels)
{
    const float count = (float)(spans[0].count * spans[1].count * spans[2].count);
    float held[BLOCK] = {0.0f};
    uint8_t mode = (uint8_t)SUM; /* of the first element: it is taken as it is */

    for (int32_t d = spans[0].first; d < spans[0].end; d++) {
        const int8_t *const at = &in[mplan_row(&p->in_rows, index_of(&spans[0], d))];
        const float *const row = (const float *)(const void *)at;

        for (int32_t h = spans[1].first; h < spans[1].end; h++) {
            const size_t line = index_of(&spans[1], h) * p->in_w;

            for (int32_t w = spans[2].first; w < spans[2].end; w++) {
                const size_t pixel = line + index_of(&spans[2], w);

                take(mode, held, &row[(pixel * p->channels) + c], channels);
                mode = p->mode;
            }
        }
    }
    for (size_t i = 0U; i < channels; i++) {
        out[c + i] = (p->mode > (uint8_t)SUM) ? (held[i] / count) : held[i];
    }
}

static void pool_row(const mplan_pool3d_f32_t *p, const int8_t *in, float *out, span_t spans[3])
{
    float *to = out;

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
void mplan_pool3d_f32(const mplan_pool3d_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t place = ((int32_t)y * (int32_t)p->stride_d) - (int32_t)p->pad_d;
        span_t spans[3];

        spans[0] = span_of(place, p->dilation_d, p->kernel_d, p->in_d, p->before_d, p->after_d);
        pool_row(p, in, (float *)(void *)&out[mplan_row(&p->out_rows, y)], spans);
    }
}
