/* SPDX-License-Identifier: 0BSD */
#include "mplan_depthwise3x3_w4_dsp.h"

#include "mplan_depthwise3x3_dsp.h"

#define NARROW_WORDS (3U) /* of a channel */

/*
 * The weights of all channels, up to the end, as mplan_depthwise3x3_s8_dsp_t has them: a channel in
 * 27 cycles. r3 0x000F000F, r12 0x00080008
 */
static MPLAN_NAKED void widen(__attribute__((unused)) const int32_t *packed,
                              __attribute__((unused)) int32_t *to,
                              __attribute__((unused)) const int32_t *end)
{
    __asm volatile("push {r4-r10, lr}; mov.w r3, #0x000F000F; mov.w r12, #0x00080008\n"
                   "1:\n"
                   "ldm.w r0!, {r8, r9, r10}; and.w r4, r3, r8; and.w r5, r3, r8, lsr #4\n"
                   "and.w r6, r3, r8, lsr #8; and.w r7, r3, r8, lsr #12\n"
                   "ssub16 r4, r4, r12; ssub16 r5, r5, r12; ssub16 r6, r6, r12\n"
                   "ssub16 r7, r7, r12; sbfx r8, r9, #0, #4; uxth.w r8, r8; asr.w r9, r9, #4\n"
                   "stm.w r1!, {r4-r10}; cmp r0, r2; bne.n 1b\n"
                   "pop {r4-r10, pc}\n");
}

MPLAN_KERNEL
void mplan_depthwise3x3_w4_dsp(const mplan_depthwise3x3_w4_dsp_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1, int8_t *scratch)
{
    int32_t *const wide = (int32_t *)(void *)scratch;
    mplan_depthwise3x3_s8_dsp_t same = *p;

    widen(p->packed, wide, &p->packed[NARROW_WORDS * (size_t)p->channels]);
    same.packed = wide;
    mplan_depthwise3x3(&same, in, out, y0, y1);
}
