/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_dense_w4_mve.h"

#define STEP (32U) /* inputs whose weights share a vector */
#define QUAD (4U)  /* outputs computed together */

/* 16 times the sum of 32 products: each half of a byte, in its high half, is 16 times a weight. */
static inline int32_t added(int32_t sum, int8x16_t first, int8x16_t second, const int8_t *weights)
{
    const int8x16_t both = vldrbq_s8(weights);
    const int8x16_t high = vreinterpretq_s8_u8(
        vandq_u8(vreinterpretq_u8_s8(both), vdupq_n_u8(0xF0U)));

    return vmladavaq_s8(vmladavaq_s8(sum, first, vshlq_n_s8(both, 4)), second, high);
}

/* Sums of a block of four outputs, times their factors, which follow the weights. */
static inline int32x4_t block_sums(const int8_t *in, size_t count, const int8_t *weights)
{
    int32x4_t sums = vdupq_n_s32(0);
    int32_t a = 0;
    int32_t b = 0;
    int32_t c = 0;
    int32_t d = 0;

    for (size_t i = 0U; i < count; i += STEP) {
        const int8x16_t first = vldrbq_s8(&in[i]);
        const int8x16_t second = vldrbq_s8(&in[i + (STEP / 2U)]);

        a = added(a, first, second, &weights[0]);
        b = added(b, first, second, &weights[16]);
        c = added(c, first, second, &weights[32]);
        d = added(d, first, second, &weights[48]);
        weights = &weights[64];
    }
    sums = vsetq_lane_s32(a, sums, 0);
    sums = vsetq_lane_s32(b, sums, 1);
    sums = vsetq_lane_s32(c, sums, 2);
    sums = vsetq_lane_s32(d, sums, 3);
    return vmulq_s32(vshrq_n_s32(sums, 4), vldrbq_s32(weights));
}

static void pixel(const mplan_dense_w4_mve_t *p, const int8_t *in, int8_t *out)
{
    const int32_t *packed = p->packed;

    for (size_t first = 0U; first < p->out_c; first += QUAD) {
        int32x4_t sums = vldrwq_s32(packed);

        packed = &packed[QUAD];
        for (size_t at = 0U; at < p->in_c; at += p->block) {
            const size_t left = (size_t)p->in_c - at;
            const size_t count = (left < p->block) ? left : p->block;

            sums = vaddq_s32(sums, block_sums(&in[at], count, (const int8_t *)packed));
            packed = &packed[(count / 2U) + 1U];
        }
        if (p->pre_shift != NULL) {
            sums = vshlq_s32(sums, vreinterpretq_s32_u32(vldrbq_u32(&p->pre_shift[first])));
        }
        sums = vaddq_n_s32(vrmulhq_s32(sums, vldrwq_s32(packed)), p->out_zero_point);
        sums = vmaxq_s32(sums, vdupq_n_s32(p->act_min));
        sums = vminq_s32(sums, vdupq_n_s32(p->act_max));
        vstrbq_p_s32(&out[first], sums, vctp32q((uint32_t)(p->out_c - first)));
        packed = &packed[QUAD];
    }
}

MPLAN_KERNEL
void mplan_dense_w4_mve(const mplan_dense_w4_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = p->pixels; i > 0U; i--) {
            pixel(p, from, to);
            from = &from[p->in_c];
            to = &to[p->out_c];
        }
    }
}
