/* SPDX-License-Identifier: 0BSD */
/* mplan_winograd_line_s8_dsp.h - 3x3 convolution by half the multiplies, in little scratch. */
#ifndef MPLAN_WINOGRAD_LINE_S8_DSP_H
#define MPLAN_WINOGRAD_LINE_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * F(4, 3) along each of the three lines of the kernel, for tiles of four output pixels of a row:
 * with B', G and A' as in mplan_winograd_s8_dsp.h
 *
 *     V = B' d     U = G g     24 * sums of the tile = A' (sum of V * U over lines and channels)
 *
 * 18 multiplies for 36. Rows are made one by one. Of the six positions of V two exist at a time:
 * 1 and 2, 3 and 4, 0 and 5. The sums of the first four wait for the last two, of `part` output
 * channels; where that is not all of them, V is made again for each part.
 *
 * V and U are int16: V is made of d + 128, and of the first of two channels that share a word
 * 2,048 more, so that it is not negative; the sums start from what takes both off again.
 *
 * packed: for each four output channels
 *   for each position, in this order
 *     4 words           what the sums start from
 *     1.5 * in_c times  U of channels {0, 2}, then {1, 3}, and so on for each four of each line:
 *       4 words         of the four output channels
 *   4 times 2 words     bias (the input zero point is in it) and multiplier, 0 <= multiplier < 2^31
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const int8_t *outside; /* a pixel of padding: in_c times the input zero point */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c; /* a multiple of 8 */
    uint16_t out_w;
    uint16_t out_c; /* a multiple of 4 */
    uint16_t part;  /* a multiple of 4, of which out_c is one */
    uint16_t pad_top;
    uint16_t pad_left;
    uint8_t lanes; /* tiles that share each word of weights: 1 or 2 */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_winograd_line_s8_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address.
 * out must not overlap the input rows that are still to be read.
 * scratch: lanes * (12 * in_c + 16 * part + 32) bytes, aligned to 4.
 */
void mplan_winograd_line_s8_dsp(const mplan_winograd_line_s8_dsp_t *p, const int8_t *in,
                                int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WINOGRAD_LINE_S8_DSP_H */
