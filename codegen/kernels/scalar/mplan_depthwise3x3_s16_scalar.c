/* SPDX-License-Identifier: 0BSD */
#include "mplan_depthwise3x3_s16_scalar.h"

typedef mplan_depthwise3x3_s16_scalar_t depthwise_t;
typedef int16_t value_t;

#define LOAD "ldrsh"

#include "mplan_depthwise3x3_scalar.h"

MPLAN_KERNEL
void mplan_depthwise3x3_s16_scalar(const mplan_depthwise3x3_s16_scalar_t *p, const int8_t *in,
                                   int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    const int32_t stride = (int32_t)p->stride_w;
    const int32_t pad = (int32_t)p->pad_left;
    const int32_t room = (int32_t)p->in_w + pad - 3; /* for windows that end inside */
    const int32_t last = (room >= 0) ? ((room / stride) + 1) : 0;
    const size_t end = (size_t)mplan_clamp(last, 0, (int32_t)p->out_w);
    const size_t first = (size_t)mplan_clamp((pad + stride - 1) / stride, 0, (int32_t)end);
    const int32_t x_first = ((int32_t)first * stride) - pad; /* of the first whole window */
    int32_t *const sums = (int32_t *)(void *)scratch;
    line_t line;

    line.apart = PLACES(p->channels);
    line.onward = ((size_t)p->stride_w - 2U) * line.apart; /* may wrap */
    for (size_t y = y0; y < y1; y++) {
        int16_t *const to = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        find_rows(p, in, &line, y);
        for (size_t c = 0U; c < p->channels; c++) {
            take_taps(p, &line, c);
            for (size_t x = 0U; x < first; x++) {
                sums[x] = border_sum(p, &line, ((int32_t)x * stride) - pad, c);
            }
            if (first < end) {
                const size_t at = ((size_t)x_first * p->channels) + c;

                inner_sums(&line, PLACES(at), &sums[first], &sums[end]);
            }
            for (size_t x = end; x < p->out_w; x++) {
                sums[x] = border_sum(p, &line, ((int32_t)x * stride) - pad, c);
            }
            finish(p, sums, p->multiplier[c], &to[c]);
        }
    }
}
