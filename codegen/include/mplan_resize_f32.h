/* SPDX-License-Identifier: 0BSD */
/* mplan_resize_f32.h - weighted sums of neighbours along up to three axes, float32. */
#ifndef MPLAN_RESIZE_F32_H
#define MPLAN_RESIZE_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A row is one index of the first axis, d; what is resized along two axes has them on d and w. An
 * output is made of `taps` elements from `first` on along each axis, none of which is beyond it;
 * it is `outside` where one of its `first` is MPLAN_RESIZE_F32_OUTSIDE.
 */
#define MPLAN_RESIZE_F32_OUTSIDE (0xFFFFU)

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint16_t *first_d; /* [out_d] */
    const uint16_t *first_h;
    const uint16_t *first_w;
    const float *weights_d; /* [out_d][taps_d] */
    const float *weights_h;
    const float *weights_w;
    uint16_t taps_d;
    uint16_t taps_h;
    uint16_t taps_w;
    uint16_t in_w;
    uint16_t channels;
    uint16_t out_h;
    uint16_t out_w;
    float outside;
} mplan_resize_f32_t;

/**
 * Output rows [y0, y1). in: rows of [in_h][in_w][channels], out: [out_d][out_h][out_w][channels] of
 * floats, rows found by address, each a multiple of 4 bytes.
 * out must not overlap the input rows that are still to be read.
 * A line is the sum along w, from 0 on; an output the sum of its lines along d and h, from 0 on,
 * each times the product of its weights. A line whose product is 0 is not read.
 */
void mplan_resize_f32(const mplan_resize_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_RESIZE_F32_H */
