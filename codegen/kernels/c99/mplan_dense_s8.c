/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_s8.h"

static int8_t dense_result(const mplan_dense_s8_t *p, int32_t acc, size_t oc)
{
    const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[oc] : 0U;
    const int32_t result = mplan_scale(acc, p->multiplier[oc], pre_shift) + p->out_zero_point;

    return (int8_t)mplan_clamp(result, p->act_min, p->act_max);
}

/* One pixel; two outputs share the loads of its inputs. */
static void dense_pixel(const mplan_dense_s8_t *p, const int8_t *in, int8_t *out)
{
    const size_t in_c = p->in_c;
    const int8_t *w = p->weights;
    size_t oc = 0U;

    for (; (oc + 1U) < p->out_c; oc += 2U) {
        const int8_t *const w2 = &w[in_c];
        int32_t acc = p->bias[oc];
        int32_t acc2 = p->bias[oc + 1U];

        for (size_t i = 0U; i < in_c; i++) {
            const int32_t value = in[i];

            acc += value * (int32_t)w[i];
            acc2 += value * (int32_t)w2[i];
        }
        out[oc] = dense_result(p, acc, oc);
        out[oc + 1U] = dense_result(p, acc2, oc + 1U);
        w = &w2[in_c];
    }
    if (oc < p->out_c) {
        int32_t acc = p->bias[oc];

        for (size_t i = 0U; i < in_c; i++) {
            acc += (int32_t)in[i] * (int32_t)w[i];
        }
        out[oc] = dense_result(p, acc, oc);
    }
}

MPLAN_KERNEL
void mplan_dense_s8(const mplan_dense_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            dense_pixel(p, &from[x * p->in_c], &to[x * p->out_c]);
        }
    }
}
