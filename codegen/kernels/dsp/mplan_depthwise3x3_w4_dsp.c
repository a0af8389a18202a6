/* SPDX-License-Identifier: 0BSD */
#include "mplan_depthwise3x3_w4_dsp.h"

#include "mplan_depthwise3x3_dsp.h"

#define NARROW_WORDS (3U) /* of a channel */
#define WIDE_WORDS (7U)

/* Two weights of a byte in the halves of a word. */
static int32_t halves(uint32_t both)
{
    const uint32_t low = (both & 15U) ^ 8U;
    const uint32_t high = ((both >> 4U) & 15U) ^ 8U;

    return (int32_t)(((low - 8U) & 0xFFFFU) | ((high - 8U) << 16U));
}

/* The weights of all channels as mplan_depthwise3x3_s8_dsp_t has them. */
static MPLAN_APART void widen(const int32_t *packed, int32_t *to, size_t channels)
{
    const int32_t *const end = &packed[NARROW_WORDS * channels];

    while (packed != end) {
        const uint32_t eight = (uint32_t)packed[0];
        const uint32_t last = (uint32_t)packed[1];

        to[0] = halves(eight);
        to[1] = halves(eight >> 8U);
        to[2] = halves(eight >> 16U);
        to[3] = halves(eight >> 24U);
        to[4] = halves(last & 15U);
        to[5] = packed[1] >> 4U;
        to[6] = packed[2];
        packed = &packed[NARROW_WORDS];
        to = &to[WIDE_WORDS];
    }
}

MPLAN_KERNEL
void mplan_depthwise3x3_w4_dsp(const mplan_depthwise3x3_w4_dsp_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1, int8_t *scratch)
{
    int32_t *const wide = (int32_t *)(void *)scratch;
    mplan_depthwise3x3_s8_dsp_t same = *p;

    widen(p->packed, wide, p->channels);
    same.packed = wide;
    mplan_depthwise3x3(&same, in, out, y0, y1);
}
