/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_s8_scalar.h"

/* Adds the products of [in, end) with the weights of four outputs; returns what follows them. */
static const int8_t *add_products(const int8_t *in, const int8_t *end, const int8_t *weights,
                                  int32_t sums[4])
{
    int32_t a = sums[0];
    int32_t b = sums[1];
    int32_t c = sums[2];
    int32_t d = sums[3];

    for (; in != end; in = &in[1]) {
        const int32_t value = *in;

        a += value * weights[0];
        b += value * weights[1];
        c += value * weights[2];
        d += value * weights[3];
        weights = &weights[4];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
    return weights;
}

/* One pixel, all outputs. */
static void dense_pixel(const mplan_dense_s8_scalar_t *p, const int8_t *in, int8_t *out)
{
    const int8_t *weights = p->packed;

    for (size_t first = 0U; first < p->out_c; first += 4U) {
        const size_t left = p->out_c - first;
        const size_t count = (left < 4U) ? left : 4U;
        int32_t sums[4];

        for (size_t i = 0U; i < 4U; i++) {
            sums[i] = p->bias[first + i];
        }
        weights = add_products(in, &in[p->in_c], weights, sums);
        for (size_t i = 0U; i < count; i++) {
            const int32_t scaled = mplan_scale_30(sums[i], p->multiplier[first + i]);
            const int32_t value = scaled + p->out_zero_point;

            out[first + i] = (int8_t)mplan_clamp(value, p->act_min, p->act_max);
        }
    }
}

void mplan_dense_s8_scalar(const mplan_dense_s8_scalar_t *p, const int8_t *in, int8_t *out,
                           size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = p->pixels; x > 0U; x--) {
            dense_pixel(p, from, to);
            from = &from[p->in_c];
            to = &to[p->out_c];
        }
    }
}
