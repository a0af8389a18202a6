/* SPDX-License-Identifier: 0BSD */
/* mplan_interleave_s8.h - planes of channels (CHW) become rows of pixels (HWC). */
#ifndef MPLAN_INTERLEAVE_S8_H
#define MPLAN_INTERLEAVE_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Output row y has width pixels of channels bytes. Its channel c are width bytes of the input: in
 * row c * plane_rows + y * y_rows, from byte y * y_bytes on.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    uint32_t width;
    uint32_t channels;
    uint32_t plane_rows;
    uint32_t y_rows;
    uint32_t y_bytes;
} mplan_interleave_s8_t;

/** Output rows [y0, y1). out must not overlap the input rows that are still to be read. */
void mplan_interleave_s8(const mplan_interleave_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_INTERLEAVE_S8_H */
