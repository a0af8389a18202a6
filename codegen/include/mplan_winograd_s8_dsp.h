/* SPDX-License-Identifier: 0BSD */
/* mplan_winograd_s8_dsp.h - 3x3 convolution of stride 1 by fewer multiplies, the same integers. */
#ifndef MPLAN_WINOGRAD_S8_DSP_H
#define MPLAN_WINOGRAD_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A tile is 2 by 2 output pixels, of 4 by 4 input pixels d. For each input channel with weights g
 *
 *     V = B' d B     U = 4 G g G'     4 * sums of the tile = A' (sum of V * U over channels) A
 *
 *     B' = 1  0 -1  0     2 G = 2  0  0     A' = 1  1  1  0
 *          0  1  1  0           1  1  1          0  1 -1 -1
 *          0 -1  1  0           1 -1  1
 *          0  1  0 -1           0  0  2
 *
 * where V * U multiplies position by position: 16 multiplies for 36. abs(V) <= 4 * 128 and
 * abs(U) <= 9 * 128, so both are int16. The sums may wrap: the generator has proved that four times
 * the accumulator stays in int32, and the division by 4 leaves no remainder.
 *
 * packed: for each two output channels a, b
 *   16 positions by in_c / 2 times 2 words   U of input channels {0, 2}, then {1, 3}, and so on for
 *                                            each four of them: of a, of b
 *   4 words                                  bias (the input zero point is in it) and multiplier,
 *                                            0 <= multiplier < 2^31, of a, of b
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c; /* a multiple of 4 */
    uint16_t out_w;
    uint16_t out_c; /* even */
    uint16_t pad_top;
    uint16_t pad_left;
    int8_t in_zero_point; /* value of a padding element */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_winograd_s8_dsp_t;

/**
 * Output rows [y0, y1), two at a time. in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows
 * found by address. out must not overlap the input rows that are still to be read.
 * scratch: 120 bytes, 128 * in_c for four tiles, the larger of 512 and 16 * in_c, and one output
 * row of an even number of pixels; aligned to 4.
 */
void mplan_winograd_s8_dsp(const mplan_winograd_s8_dsp_t *p, const int8_t *in, int8_t *out,
                           size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WINOGRAD_S8_DSP_H */
