/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_pool3d_s16_mve.h"

typedef mplan_pool3d_s16_mve_t pool_t;

#include "mplan_pool_spans_s16.h"

#define QUAD (4U) /* channels of a vector */

/* Eight channels, those that there are of them. */
typedef struct {
    int32x4_t first;
    int32x4_t second;
    mve_pred16_t lanes;
    mve_pred16_t lanes2;
} eight_t;

static inline int32x4_t joined(uint8_t mode, int32x4_t held, int32x4_t values)
{
    int32x4_t result;

    if (mode == (uint8_t)LARGEST) {
        result = vmaxq_s32(held, values);
    } else if (mode == (uint8_t)LEAST) {
        result = vminq_s32(held, values);
    } else {
        result = vaddq_s32(held, values);
    }
    return result;
}

/* All taps of a window, from channel c on. */
static inline eight_t window(const pool_t *p, const int8_t *in, const span_t spans[3], size_t c,
                             eight_t held, uint8_t mode)
{
    const size_t apart = (size_t)spans[2].step * p->channels;

    for (int32_t d = spans[0].first; d < spans[0].end; d++) {
        const size_t place = mplan_row(&p->in_rows, index_of(&spans[0], d));
        const int16_t *const row = (const int16_t *)(const void *)&in[place];

        for (int32_t h = spans[1].first; h < spans[1].end; h++) {
            const size_t line = (index_of(&spans[1], h) * p->in_w);
            const size_t first = line + index_of(&spans[2], spans[2].first);
            const int16_t *at = &row[(first * p->channels) + c];

            for (int32_t w = spans[2].end - spans[2].first; w > 0; w--) {
                const int32x4_t values = vldrhq_z_s32(at, held.lanes);

                held.first = joined(mode, held.first, values);
                held.second =
                    joined(mode, held.second, vldrhq_z_s32(&at[QUAD], held.lanes2));
                at = &at[apart];
            }
        }
    }
    return held;
}

static void pool_block(const pool_t *p, const int8_t *in, int16_t *out, const span_t spans[3],
                       size_t c, size_t channels)
{
    const int32_t ends[] = {-32768, 32767, 0, 0};
    const int32x4_t end = vdupq_n_s32(ends[p->mode]);
    const size_t second = (channels > QUAD) ? (channels - QUAD) : 0U;
    eight_t held = {end, end, vctp32q((uint32_t)channels), vctp32q((uint32_t)second)};
    int32_t values[BLOCK];

    if (p->mode == (uint8_t)LARGEST) {
        held = window(p, in, spans, c, held, (uint8_t)LARGEST);
    } else if (p->mode == (uint8_t)LEAST) {
        held = window(p, in, spans, c, held, (uint8_t)LEAST);
    } else {
        const int32_t taps = (spans[0].end - spans[0].first) * (spans[1].end - spans[1].first) *
                             (spans[2].end - spans[2].first);

        held.first = vdupq_n_s32(-taps * (int32_t)p->in_zero_point);
        held.second = held.first;
        held = window(p, in, spans, c, held, (uint8_t)SUM);
    }
    vstrwq_s32(values, held.first);
    vstrwq_s32(&values[QUAD], held.second);
    for (size_t i = 0U; i < channels; i++) {
        const int32_t value = values[i];

        out[c + i] = (p->mode < (uint8_t)SUM) ? (int16_t)value : average(p, value, spans);
    }
}

MPLAN_KERNEL
void mplan_pool3d_s16_mve(const mplan_pool3d_s16_mve_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t place = ((int32_t)y * (int32_t)p->stride_d) - (int32_t)p->pad_d;
        span_t spans[3];

        spans[0] = span_of(place, p->dilation_d, p->kernel_d, p->in_d, p->before_d, p->after_d);
        pool_row(p, in, (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)], spans);
    }
}
