/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_mul_s8_mve.h"

#define QUAD (4U) /* elements at once */

/* Four products, requantized. */
static inline int32x4_t products(const mplan_mul_s8_mve_t *p, int32x4_t a, int32x4_t b,
                                 int32x4_t multiplier)
{
    const int32x4_t product =
        vmulq_s32(vsubq_n_s32(a, p->in_zero_point), vsubq_n_s32(b, p->in2_zero_point));
    const int32x4_t shifted = vshlq_r_s32(product, p->pre_shift);

    return vaddq_n_s32(vrmulhq_s32(shifted, multiplier), p->out_zero_point);
}

/* The innermost loop. */
static void mul_run(const mplan_mul_s8_mve_t *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const mplan_mul_s8_mve_t own = *p; /* stores to out leave it alone */
    const int32x4_t multiplier = vdupq_n_s32(own.multiplier);
    const int32x4_t low = vdupq_n_s32(own.act_min);
    const int32x4_t high = vdupq_n_s32(own.act_max);
    const size_t rest = own.inner % QUAD;
    int32x4_t result;

    for (size_t i = own.inner / QUAD; i > 0U; i--) {
        result = products(&own, vldrbq_s32(a), vldrbq_s32(b), multiplier);
        vstrbq_s32(out, vminq_s32(vmaxq_s32(result, low), high));
        a = &a[QUAD];
        b = &b[QUAD];
        out = &out[QUAD];
    }
    if (rest > 0U) {
        const mve_pred16_t lanes = vctp32q((uint32_t)rest);

        result = products(&own, vldrbq_z_s32(a, lanes), vldrbq_z_s32(b, lanes), multiplier);
        vstrbq_p_s32(out, vminq_s32(vmaxq_s32(result, low), high), lanes);
    }
}

MPLAN_KERNEL
void mplan_mul_s8_mve(const mplan_mul_s8_mve_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const a = &in[mplan_row(&p->in_rows, y * p->in_moves)];
        const int8_t *const b = &in2[mplan_row(&p->in2_rows, y * p->in2_moves)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->outer; i++) {
            for (size_t j = 0U; j < p->middle; j++) {
                mul_run(p, &a[(i * p->in_outer) + (j * p->in_middle)],
                        &b[(i * p->in2_outer) + (j * p->in2_middle)], to);
                to = &to[p->inner];
            }
        }
    }
}
