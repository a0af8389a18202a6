/* SPDX-License-Identifier: 0BSD */
/* mplan_channel_lookup_s8.h - any function of one int8 value, as a table of each channel. */
#ifndef MPLAN_CHANNEL_LOOKUP_S8_H
#define MPLAN_CHANNEL_LOOKUP_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const int8_t *tables;  /* [..][256], result for q at q + 128 */
    const uint8_t *places; /* [channels], the table of each */
    uint32_t pixels;       /* per row */
    uint32_t channels;
} mplan_channel_lookup_s8_t;

/** Rows [y0, y1) of [rows][pixels][channels]. out may be in. */
void mplan_channel_lookup_s8(const mplan_channel_lookup_s8_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_CHANNEL_LOOKUP_S8_H */
