/* SPDX-License-Identifier: 0BSD */
#include "mplan_lp_pool3d_s8.h"
#include "mplan_windows.h"

/* How many codes end at or below a sum. */
static int32_t code_of(const int32_t *ends, int32_t sum)
{
    size_t below = 0U;

    for (size_t half = 128U; half > 0U; half /= 2U) {
        if (sum >= ends[(below + half) - 1U]) {
            below += half;
        }
    }
    return (int32_t)below;
}

/* The norm of one window of one channel. */
static int8_t norm(const mplan_lp_pool3d_s8_t *p, const int8_t *in, const mplan_span_t spans[3],
                   size_t c)
{
    int32_t sum = 0;

    for (int32_t d = spans[0].first; d < spans[0].end; d += spans[0].step) {
        const int8_t *const row = &in[mplan_row(&p->in_rows, (size_t)d)];

        for (int32_t h = spans[1].first; h < spans[1].end; h += spans[1].step) {
            const size_t line = (size_t)h * p->in_w;

            for (int32_t w = spans[2].first; w < spans[2].end; w += spans[2].step) {
                sum += p->powers[(int32_t)row[((line + (size_t)w) * p->channels) + c] + 128];
            }
        }
    }
    return (int8_t)(code_of(p->ends, sum) - 128);
}

MPLAN_KERNEL
void mplan_lp_pool3d_s8(const mplan_lp_pool3d_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        mplan_span_t spans[3];

        spans[0] = mplan_span_of(y, p->stride_d, p->pad_d, p->kernel_d, p->dilation_d, p->in_d);
        for (size_t h = 0U; h < p->out_h; h++) {
            spans[1] = mplan_span_of(h, p->stride_h, p->pad_h, p->kernel_h, p->dilation_h, p->in_h);
            for (size_t w = 0U; w < p->out_w; w++) {
                spans[2] =
                    mplan_span_of(w, p->stride_w, p->pad_w, p->kernel_w, p->dilation_w, p->in_w);
                for (size_t c = 0U; c < p->channels; c++) {
                    to[c] = norm(p, in, spans, c);
                }
                to = &to[p->channels];
            }
        }
    }
}
