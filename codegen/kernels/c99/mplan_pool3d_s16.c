/* SPDX-License-Identifier: 0BSD */
#include "mplan_pool3d_s16.h"

typedef mplan_pool3d_s16_t pool_t;

#include "mplan_pool_spans_s16.h"

/* One element more of each channel. */
static void take(const pool_t *p, int32_t *held, const int16_t *pixel, size_t channels)
{
    for (size_t i = 0U; i < channels; i++) {
        const int32_t value = pixel[i];

        if (p->mode == (uint8_t)LARGEST) {
            held[i] = (value > held[i]) ? value : held[i];
        } else if (p->mode == (uint8_t)LEAST) {
            held[i] = (value < held[i]) ? value : held[i];
        } else {
            held[i] += value - (int32_t)p->in_zero_point;
        }
    }
}

static void pool_block(const pool_t *p, const int8_t *in, int16_t *out,
                       const span_t spans[3], size_t c, size_t channels)
{
    const int32_t ends[] = {-32768, 32767, 0, 0};
    int32_t held[BLOCK];

    for (size_t i = 0U; i < channels; i++) {
        held[i] = ends[p->mode];
    }
    for (int32_t d = spans[0].first; d < spans[0].end; d++) {
        const size_t place = mplan_row(&p->in_rows, index_of(&spans[0], d));
        const int16_t *const row = (const int16_t *)(const void *)&in[place];

        for (int32_t h = spans[1].first; h < spans[1].end; h++) {
            const size_t line = index_of(&spans[1], h) * p->in_w;

            for (int32_t w = spans[2].first; w < spans[2].end; w++) {
                const size_t pixel = line + index_of(&spans[2], w);

                take(p, held, &row[(pixel * p->channels) + c], channels);
            }
        }
    }
    for (size_t i = 0U; i < channels; i++) {
        out[c + i] = (p->mode < (uint8_t)SUM) ? (int16_t)held[i] : average(p, held[i], spans);
    }
}

MPLAN_KERNEL
void mplan_pool3d_s16(const mplan_pool3d_s16_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t place = ((int32_t)y * (int32_t)p->stride_d) - (int32_t)p->pad_d;
        span_t spans[3];

        spans[0] = span_of(place, p->dilation_d, p->kernel_d, p->in_d, p->before_d, p->after_d);
        pool_row(p, in, (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)], spans);
    }
}
