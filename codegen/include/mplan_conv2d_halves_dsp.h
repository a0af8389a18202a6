/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_conv2d_halves_dsp.h - convolution of int16, for weights of either type.
 *
 * A kernel includes it behind conv_t, its parameters, and STEP, four taps of its weights.
 */
#ifndef MPLAN_CONV2D_HALVES_DSP_H
#define MPLAN_CONV2D_HALVES_DSP_H

#include "mplan_halves_dsp.h"

static int16_t *padded(int16_t *to, int16_t value, size_t count)
{
    for (size_t i = 0U; i < count; i++) {
        to[i] = value;
    }
    return &to[count];
}

/* The taps of one output pixel, and zeros up to a multiple of four. */
static void take(const conv_t *p, const int8_t *in, int32_t y_first, int32_t x_first, int16_t *to)
{
    const int32_t kernel = (int32_t)p->kernel_w;
    const int32_t first = mplan_clamp(-x_first, 0, kernel);
    const int32_t end = mplan_clamp((int32_t)p->in_w - x_first, first, kernel);
    const size_t inside = (size_t)(end - first) * p->in_c;
    const size_t taps = (size_t)p->kernel_h * p->kernel_w * p->in_c;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        const int32_t y = y_first + ((int32_t)ky * (int32_t)p->dilation_h);

        if ((y < 0) || (y >= (int32_t)p->in_h) || (inside == 0U)) {
            to = padded(to, p->in_zero_point, (size_t)p->kernel_w * p->in_c);
        } else {
            const size_t place = (size_t)(x_first + first) * p->in_c;
            const int8_t *const row = &in[mplan_row(&p->in_rows, (size_t)y)];

            to = padded(to, p->in_zero_point, (size_t)first * p->in_c);
            (void)memcpy(to, &row[place * sizeof *to], inside * sizeof *to);
            to = padded(&to[inside], p->in_zero_point, (size_t)(kernel - end) * p->in_c);
        }
    }
    (void)padded(to, 0, (4U - (taps % 4U)) % 4U);
}

/* What becomes of sums; read once, as the compiler reads all memory again behind assembly. */
typedef struct {
    const uint8_t *shifts;
    int32_t zero_point;
    int32_t low;
    int32_t high;
} ends_t;

/* An output of both pixels. */
static inline void put(const ends_t *ends, int16_t *out, int16_t *out2, size_t oc, int32_t sum,
                       int32_t sum2, int32_t multiplier)
{
    const uint32_t shift = (ends->shifts != NULL) ? ends->shifts[oc] : 0U;
    const int32_t result = mplan_halves_result(sum, shift, multiplier, ends->zero_point);
    const int32_t result2 = mplan_halves_result(sum2, shift, multiplier, ends->zero_point);

    out[oc] = (int16_t)mplan_clamp(result, ends->low, ends->high);
    out2[oc] = (int16_t)mplan_clamp(result2, ends->low, ends->high);
}

/* All channels of two pixels, which may be one. */
static void two_pixels(const conv_t *p, const int16_t *in, const int16_t *in2, int16_t *out,
                       int16_t *out2)
{
    const size_t taps = (size_t)p->kernel_h * p->kernel_w * p->in_c;
    const size_t steps = (taps + 3U) / 4U;
    const ends_t ends = {p->pre_shift, p->out_zero_point, p->act_min, p->act_max};
    mplan_halves_t s;

    s.at = p->packed;
    for (size_t oc = 0U; oc < p->out_c; oc += 2U) {
        const int16_t *second = in2;
        size_t k = steps;

        s.in = in;
        s.a0 = s.at[0];
        s.a1 = s.at[1];
        s.a2 = s.at[0];
        s.a3 = s.at[1];
        s.at = &s.at[2];
        for (; k >= 2U; k -= 2U) {
            MPLAN_HALVES_PAIR_STEPS(s, second, STEP STEP);
        }
        if (k > 0U) {
            MPLAN_HALVES_PAIR_STEPS(s, second, STEP);
        }
        put(&ends, out, out2, oc, s.a0, s.a2, s.at[0]);
        if ((oc + 1U) < p->out_c) {
            put(&ends, out, out2, oc + 1U, s.a1, s.a3, s.at[1]);
        }
        s.at = &s.at[2];
    }
}

#endif /* MPLAN_CONV2D_HALVES_DSP_H */
