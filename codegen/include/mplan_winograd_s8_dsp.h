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
 * A tile is n by n output pixels, n = 2 or 4, of n + 2 by n + 2 input pixels d. For each input
 * channel with weights g
 *
 *     V = B' d B     U = G g G'     f * sums of the tile = A' (sum of V * U over channels) A
 *
 * where V * U multiplies position by position: (n + 2)^2 multiplies for 9 n^2. All in integers:
 *
 *     n = 2, f = 4:   B' = 1  0 -1  0     G = 2  0  0     A' = 1  1  1  0
 *                          0  1  1  0         1  1  1          0  1 -1 -1
 *                          0 -1  1  0         1 -1  1
 *                          0  1  0 -1         0  0  2
 *
 *     n = 4, f = 576: B' = 4  0 -5  0  1  0     G =  6  0  0    A' = 1  1  1  1  1  0
 *                          0 -4 -4  1  1  0         -4 -4 -4         0  1 -1  2 -2  0
 *                          0  4 -4 -1  1  0         -4  4 -4         0  1  1  4  4  0
 *                          0 -2 -1  2  1  0          1  2  4         0  1 -1  8 -8  2
 *                          0  2 -1 -2  1  0          1 -2  4
 *                          0  4  0 -5  0  1          0  0 12
 *
 * Of a kernel of 3x1 or 1x3 a tile is 4 pixels down or along: V = B' d, U = G g, f = 24.
 *
 * V and U are int16: at most 4 * 128 and 9 * 128; 17,340 of inputs from 0 to 255, and 144 * 128.
 * Sums may wrap: the generator has proved that f times the accumulator stays in int32, and the
 * division by f leaves no remainder. For n = 4 V is made of d + 128, and of the first of two
 * channels that share a word 13,056 more (along one axis 2,048), so that it is not negative; the
 * sums start from what takes both off again.
 *
 * packed: for each two output channels a, b
 *   for each position
 *     2 words                 for n = 4: what the sums start from, of a, of b
 *     in_c / 2 times 2 words  U of input channels {0, 2}, then {1, 3}, and so on for each four of
 *                             them: of a, of b
 *   4 words                   bias (the input zero point is in it) and multiplier,
 *                             0 <= multiplier < 2^31, of a, of b
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    uint32_t block; /* words of two output channels */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c; /* a multiple of 4 */
    uint16_t out_w;
    uint16_t out_c; /* even */
    uint16_t pad_top;
    uint16_t pad_left;
    uint8_t tile_h; /* 2 and 2, 4 and 4; of a kernel of 3x1 or 1x3 4 and 1, or 1 and 4 */
    uint8_t tile_w;
    int8_t in_zero_point; /* value of a padding element */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_winograd_s8_dsp_t;

/**
 * Output rows [y0, y1), tile_h at a time. in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows
 * found by address. out must not overlap the input rows that are still to be read.
 * scratch, of tiles with m pixels and k positions: 64 + 16 * m, 8 * k * in_c for four tiles, 168
 * where k = 36, the larger of 32 * k and k * in_c, and tile_h - 1 (at least one) output rows of
 * pixels up to a multiple of tile_w; aligned to 4.
 */
void mplan_winograd_s8_dsp(const mplan_winograd_s8_dsp_t *p, const int8_t *in, int8_t *out,
                           size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WINOGRAD_S8_DSP_H */
