/* SPDX-License-Identifier: 0BSD */
/* mplan_depthwise3x3_s16_scalar.h - depthwise 3x3, int16, for cores with a 32-bit multiply only. */
#ifndef MPLAN_DEPTHWISE3X3_S16_SCALAR_H
#define MPLAN_DEPTHWISE3X3_S16_SCALAR_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each channel its 3x3 weights, column by column. Any strides and padding. The
 * generator has proved that what a sum can reach and its multiplier together stay below
 * 2^31 - 2^18.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int16_t *packed;
    const int32_t *bias;       /* [channels], input zero point folded in */
    const int32_t *multiplier; /* [channels], none less than 0 */
    uint16_t in_h;
    uint16_t in_w;
    uint16_t channels;
    uint16_t out_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t in_zero_point; /* value of a padding element */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
} mplan_depthwise3x3_s16_scalar_t;

/**
 * Output rows [y0, y1). in: [in_h][in_w][channels], out: [out_h][out_w][channels], rows found by
 * address, each at a multiple of 2 bytes. out must not overlap the input rows that are still to
 * be read.
 * scratch: 4 * out_w bytes, aligned to 4.
 */
void mplan_depthwise3x3_s16_scalar(const mplan_depthwise3x3_s16_scalar_t *p, const int8_t *in,
                                   int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DEPTHWISE3X3_S16_SCALAR_H */
