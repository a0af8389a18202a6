/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_dense_halves_dsp.h - fully connected layer of int16, for weights of either type.
 *
 * A kernel includes it behind dense_t, its parameters, and STEP, four taps of its weights.
 */
#ifndef MPLAN_DENSE_HALVES_DSP_H
#define MPLAN_DENSE_HALVES_DSP_H

#include "mplan_halves_dsp.h"

/* What becomes of sums; read once, as the compiler reads all memory again behind assembly. */
typedef struct {
    int32_t zero_point;
    int32_t low;
    int32_t high;
} ends_t;

static inline int16_t finished(const ends_t *ends, int32_t sum, uint32_t shift, int32_t multiplier)
{
    const int32_t result = mplan_halves_result(sum, shift, multiplier, ends->zero_point);

    return (int16_t)mplan_clamp(result, ends->low, ends->high);
}

/* The last outputs of a pixel, one to four, and those whose sums are shifted. */
static void put_some(const dense_t *p, const ends_t *ends, const mplan_halves_t *s, int16_t *out,
                     size_t oc)
{
    const int32_t sums[4] = {s->a0, s->a1, s->a2, s->a3};
    const size_t left = (size_t)p->out_c - oc;

    for (size_t i = 0U; i < ((left < 4U) ? left : 4U); i++) {
        const uint32_t shift = (p->pre_shift != NULL) ? p->pre_shift[oc + i] : 0U;

        out[oc + i] = finished(ends, sums[i], shift, s->at[i]);
    }
}

static void dense_pixel(const dense_t *p, const int16_t *in, int16_t *out)
{
    const size_t steps = p->in_c / 4U;
    const size_t rest = p->in_c % 4U;
    const size_t fours = (p->pre_shift != NULL) ? 0U : ((size_t)p->out_c & ~(size_t)3U);
    const ends_t ends = {p->out_zero_point, p->act_min, p->act_max};
    mplan_halves_t s;
    int16_t last[4] = {0, 0, 0, 0}; /* inputs of the step that is not full */

    (void)memcpy(last, &in[4U * steps], rest * sizeof last[0]);
    s.at = p->packed;
    for (size_t oc = 0U; oc < p->out_c; oc += 4U) {
        size_t k = steps;

        s.in = in;
        s.a0 = s.at[0];
        s.a1 = s.at[1];
        s.a2 = s.at[2];
        s.a3 = s.at[3];
        s.at = &s.at[4];
        for (; k >= 4U; k -= 4U) {
            MPLAN_HALVES_STEPS(s, STEP STEP STEP STEP);
        }
        for (; k > 0U; k--) {
            MPLAN_HALVES_STEPS(s, STEP);
        }
        if (rest > 0U) {
            s.in = last;
            MPLAN_HALVES_STEPS(s, STEP);
        }
        if (oc < fours) {
            out[oc] = finished(&ends, s.a0, 0U, s.at[0]);
            out[oc + 1U] = finished(&ends, s.a1, 0U, s.at[1]);
            out[oc + 2U] = finished(&ends, s.a2, 0U, s.at[2]);
            out[oc + 3U] = finished(&ends, s.a3, 0U, s.at[3]);
        } else {
            put_some(p, &ends, &s, out, oc);
        }
        s.at = &s.at[4];
    }
}

#endif /* MPLAN_DENSE_HALVES_DSP_H */
