/* SPDX-License-Identifier: 0BSD */
/* mplan_conv2d_s16_w16_dsp.h - convolution, int16 by int16, two pixels at a time. */
#ifndef MPLAN_CONV2D_S16_W16_DSP_H
#define MPLAN_CONV2D_S16_W16_DSP_H

#include "mplan_halves_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each two outputs, the last ones up to a multiple of four filled up with 0
 *   2 words  bias, the input zero point folded in
 *   for each four taps [kernel_h][kernel_w][in_c], the last ones filled up with 0
 *     4 words  taps {0, 1} of both outputs, taps {2, 3} of both
 *   2 words  multipliers, 0 <= multiplier < 2^31
 * The generator has proved that every sum shifted by its pre_shift stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *pre_shift; /* [out_c up to a multiple of 4], left shift; NULL: none */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w; /* 1 */
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t in_zero_point; /* value of a padding element */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
    uint8_t is_direct; /* 1x1, no padding, in_c a multiple of 4: inputs are read where they are */
} mplan_conv2d_s16_w16_dsp_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][in_c], out: [out_h][out_w][out_c], rows found by
 * address, each at a multiple of 2 bytes. out must not overlap the input rows that are still to
 * be read. scratch: taps of two pixels, each up to a multiple of 4, in int16; unused if is_direct.
 */
void mplan_conv2d_s16_w16_dsp(const mplan_conv2d_s16_w16_dsp_t *p, const int8_t *in, int8_t *out,
                              size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CONV2D_S16_W16_DSP_H */
