/* SPDX-License-Identifier: 0BSD */
#include "mplan_lp_pool3d_f32.h"
#include "mplan_math_f32.h"
#include "mplan_pow_f32.h"
#include "mplan_windows.h"

static float power(float value, uint32_t order)
{
    const float size = (value < 0.0f) ? -value : value;
    float result = size;

    for (uint32_t k = 1U; k < order; k++) {
        result *= size;
    }
    return result;
}

static float root(float sum, uint32_t order)
{
    float result = sum;

    if (order == 2U) {
        result = mplan_sqrt_f32(sum);
    } else if (order > 2U) {
        result = mplan_pow_f32(sum, 1.0f / (float)order);
    } else {
        /* the sum of sizes itself */
    }
    return result;
}

/* The norm of one window of one channel. */
static float norm(const mplan_lp_pool3d_f32_t *p, const int8_t *in, const mplan_span_t spans[3],
                  size_t c)
{
    float sum = 0.0f;

    for (int32_t d = spans[0].first; d < spans[0].end; d += spans[0].step) {
        const int8_t *const at = &in[mplan_row(&p->in_rows, (size_t)d)];
        const float *const row = (const float *)(const void *)at;

        for (int32_t h = spans[1].first; h < spans[1].end; h += spans[1].step) {
            const size_t line = (size_t)h * p->in_w;

            for (int32_t w = spans[2].first; w < spans[2].end; w += spans[2].step) {
                sum += power(row[((line + (size_t)w) * p->channels) + c], p->order);
            }
        }
    }
    return root(sum, p->order);
}

MPLAN_KERNEL
void mplan_lp_pool3d_f32(const mplan_lp_pool3d_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        float *to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];
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
