/* SPDX-License-Identifier: 0BSD */
/* mplan_dense_s16_w16_dsp.h - fully connected layer, int16 by int16, two products at a time. */
#ifndef MPLAN_DENSE_S16_W16_DSP_H
#define MPLAN_DENSE_S16_W16_DSP_H

#include "mplan_halves_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * packed: for each four outputs, the last ones filled up with 0
 *   4 words  bias, the input zero point folded in
 *   for each four taps, the last ones filled up with 0
 *     8 words  taps {0, 1} of each output, taps {2, 3} of each
 *   4 words  multipliers, 0 <= multiplier < 2^31
 * The generator has proved that every sum shifted by its pre_shift stays in int32.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *packed;
    const uint8_t *pre_shift; /* [out_c up to a multiple of 4], left shift; NULL: none */
    uint32_t in_c;
    uint32_t out_c;
    uint32_t pixels; /* of one row */
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
} mplan_dense_s16_w16_dsp_t;

/**
 * Output rows [y0, y1). in: rows of [pixels][in_c], out: rows of [pixels][out_c], each at a
 * multiple of 2 bytes.
 * out must not overlap the input rows that are still to be read.
 */
void mplan_dense_s16_w16_dsp(const mplan_dense_s16_w16_dsp_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_DENSE_S16_W16_DSP_H */
