/* SPDX-License-Identifier: 0BSD */
/* mplan_resize_s8.h - weighted sums of neighbours along up to three axes, int8. */
#ifndef MPLAN_RESIZE_S8_H
#define MPLAN_RESIZE_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A row is one index of the first axis, d; what is resized along two axes has them on d and w. An
 * output is made of `taps` elements from `first` on along each axis, none of which is beyond it;
 * it is `outside` where one of its `first` is MPLAN_RESIZE_S8_OUTSIDE.
 */
#define MPLAN_RESIZE_S8_OUTSIDE (0xFFFFU)

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint16_t *first_d; /* [out_d] */
    const uint16_t *first_h;
    const uint16_t *first_w;
    const int16_t *weights_d; /* [out_d][taps_d] */
    const int16_t *weights_h;
    const int16_t *weights_w;
    uint16_t taps_d;
    uint16_t taps_h;
    uint16_t taps_w;
    uint16_t in_w;
    uint16_t channels;
    uint16_t out_h;
    uint16_t out_w;
    uint8_t shift; /* bits of the product of three weights behind the point */
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t outside;
} mplan_resize_s8_t;

/**
 * Output rows [y0, y1). in: rows of [in_h][in_w][channels], out: [out_d][out_h][out_w][channels],
 * rows found by address. out must not overlap the input rows that are still to be read.
 * The exact sum of products is rounded once, halves up. A line whose weights along d and h are not
 * both other than 0 is not read. The generator has proved that a line stays in int32.
 */
void mplan_resize_s8(const mplan_resize_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_RESIZE_S8_H */
