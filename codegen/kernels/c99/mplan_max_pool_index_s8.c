/* SPDX-License-Identifier: 0BSD */
#include "mplan_max_pool_index_s8.h"
#include "mplan_windows.h"

/* The index of the largest element of one channel. */
static uint32_t largest(const mplan_max_pool_index_s8_t *p, const int8_t *in,
                        const mplan_span_t spans[3], size_t c)
{
    int8_t best = 0;
    int found = 0;
    uint32_t index = 0U;

    for (int32_t d = spans[0].first; d < spans[0].end; d += spans[0].step) {
        const int8_t *const row = &in[mplan_row(&p->in_rows, (size_t)d)];

        for (int32_t h = spans[1].first; h < spans[1].end; h += spans[1].step) {
            const size_t line = (size_t)h * p->in_w;

            for (int32_t w = spans[2].first; w < spans[2].end; w += spans[2].step) {
                const uint8_t code = (uint8_t)row[((line + (size_t)w) * p->channels) + c];
                const int8_t value = (int8_t)(code ^ p->flip_sign);

                if ((found == 0) || (value > best)) {
                    best = value;
                    found = 1;
                    index = ((uint32_t)d * p->step_d) + ((uint32_t)h * p->step_h) +
                            ((uint32_t)w * p->step_w);
                }
            }
        }
    }
    return index + ((uint32_t)c * p->step_c);
}

MPLAN_KERNEL
void mplan_max_pool_index_s8(const mplan_max_pool_index_s8_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        int32_t *to = (int32_t *)(void *)&out[mplan_row(&p->out_rows, y)];
        mplan_span_t spans[3];

        spans[0] = mplan_span_of(y, p->stride_d, p->pad_d, p->kernel_d, p->dilation_d, p->in_d);
        for (size_t h = 0U; h < p->out_h; h++) {
            spans[1] = mplan_span_of(h, p->stride_h, p->pad_h, p->kernel_h, p->dilation_h, p->in_h);
            for (size_t w = 0U; w < p->out_w; w++) {
                spans[2] =
                    mplan_span_of(w, p->stride_w, p->pad_w, p->kernel_w, p->dilation_w, p->in_w);
                for (size_t c = 0U; c < p->channels; c++) {
                    to[c] = (int32_t)largest(p, in, spans, c);
                }
                to = &to[p->channels];
            }
        }
    }
}
