/* SPDX-License-Identifier: 0BSD */
/* mplan_prelu_s8.h - values below 0 times a slope of their channel, int8. */
#ifndef MPLAN_PRELU_S8_H
#define MPLAN_PRELU_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int32_t *negative; /* [channels], slope * scale_in / scale_out * 2^shift */
    int32_t positive;        /* scale_in / scale_out * 2^shift */
    uint32_t pixels;         /* per row */
    uint32_t channels;
    uint8_t shift; /* at least 1 */
    int8_t in_zero_point;
    int8_t out_zero_point;
} mplan_prelu_s8_t;

/**
 * Rows [y0, y1) of [rows][pixels][channels]. out may be in.
 * 255 times any factor, and the rounding, stay below 2^31.
 */
void mplan_prelu_s8(const mplan_prelu_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                    size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PRELU_S8_H */
