/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_add_s8_mve.h"

#define QUAD (4U) /* elements at once */

/* Four sums, requantized. */
static inline int32x4_t sums(const mplan_add_s8_mve_t *p, int32x4_t a, int32x4_t b,
                             int32x4_t multiplier, int32_t minus_shift)
{
    const int32x4_t first = vmlasq_n_s32(a, multiplier, p->offset);
    const int32x4_t both = vmlaq_n_s32(first, b, p->multiplier2);

    return vaddq_n_s32(vshlq_r_s32(both, minus_shift), p->out_zero_point);
}

/* `count` elements that lie one behind the other. */
static void add_run(const mplan_add_s8_mve_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                    size_t count)
{
    const mplan_add_s8_mve_t own = *p; /* stores to out leave it alone */
    const int32x4_t multiplier = vdupq_n_s32(own.multiplier);
    const int32x4_t low = vdupq_n_s32(own.act_min);
    const int32x4_t high = vdupq_n_s32(own.act_max);
    const int32_t minus_shift = -(int32_t)own.shift;
    const size_t rest = count % QUAD;
    int32x4_t result;

    for (size_t i = count / QUAD; i > 0U; i--) {
        result = sums(&own, vldrbq_s32(in), vldrbq_s32(in2), multiplier, minus_shift);
        vstrbq_s32(out, vminq_s32(vmaxq_s32(result, low), high));
        in = &in[QUAD];
        in2 = &in2[QUAD];
        out = &out[QUAD];
    }
    if (rest > 0U) {
        const mve_pred16_t lanes = vctp32q((uint32_t)rest);

        result = sums(&own, vldrbq_z_s32(in, lanes), vldrbq_z_s32(in2, lanes), multiplier,
                      minus_shift);
        vstrbq_p_s32(out, vminq_s32(vmaxq_s32(result, low), high), lanes);
    }
}

MPLAN_KERNEL
void mplan_add_s8_mve(const mplan_add_s8_mve_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        add_run(p, &in[mplan_row(&p->in_rows, y)], &in2[mplan_row(&p->in2_rows, y)],
                &out[mplan_row(&p->out_rows, y)], p->row_bytes);
    }
}
