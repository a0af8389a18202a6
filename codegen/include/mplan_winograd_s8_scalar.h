/* SPDX-License-Identifier: 0BSD */
/* mplan_winograd_s8_scalar.h - 3x3 convolution in tiles, for cores with a 32-bit multiply. */
#ifndef MPLAN_WINOGRAD_S8_SCALAR_H
#define MPLAN_WINOGRAD_S8_SCALAR_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * F(4x4, 3x3): 36 products for each channel of a tile of 4 by 4 output pixels, not 144. With
 * weights times 24 along each axis all of it is integers, modulo 2^32; the sums are 576 times those
 * of the convolution, which stay below 2^25. The weights are transformed on the core, for each row
 * of tiles anew, so that flash holds them once. Stride 1.
 *
 * packed: [out_c / 2][channels / 2][column][row][2][2], 128 more than the weights; of each four
 * bytes two input channels of one output channel come first.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;     /* four bytes to a word, which is how they are read */
    const int32_t *bias;       /* [out_c] */
    const int32_t *multiplier; /* [out_c], 0 <= multiplier < 2^30; no accumulator reaches 2^30 */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;
    uint16_t out_c; /* even */
    uint16_t pad_top;
    uint16_t pad_left;
    uint16_t channels; /* in_c, and some whose weights are 0 */
    uint16_t part;     /* of the channels, an even number from 4 on, that are taken at a time */
    int8_t in_zero_point; /* value of a padding element; in every bias */
    int8_t out_zero_point;
    int8_t act_min;
    int8_t act_max;
} mplan_winograd_s8_scalar_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by address.
 * out must not overlap the input rows that are still to be read.
 * scratch, with pairs = out_w / 8 rounded up: 144 * (pairs * channels + part) + in_c bytes, and 576
 * for each pair, or for one where there is one part; aligned to 4.
 */
void mplan_winograd_s8_scalar(const mplan_winograd_s8_scalar_t *p, const int8_t *in, int8_t *out,
                              size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WINOGRAD_S8_SCALAR_H */
