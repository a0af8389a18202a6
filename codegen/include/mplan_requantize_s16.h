/* SPDX-License-Identifier: 0BSD */
/* mplan_requantize_s16.h - integers on one grid as those on another, int8 or int16. */
#ifndef MPLAN_REQUANTIZE_S16_H
#define MPLAN_REQUANTIZE_S16_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t elements;  /* of one row */
    int32_t multiplier; /* 0 <= multiplier < 2^31 */
    int16_t in_zero_point;
    int16_t out_zero_point;
    int16_t act_min;
    int16_t act_max;
    uint8_t pre_shift;
    uint8_t from_wide; /* in is int16, else int8 */
    uint8_t to_wide;   /* out is int16, else int8 */
} mplan_requantize_s16_t;

/**
 * Output rows [y0, y1). What is int16 lies at multiples of 2 bytes.
 * Where both are of one type, out may be in.
 */
void mplan_requantize_s16(const mplan_requantize_s16_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_REQUANTIZE_S16_H */
