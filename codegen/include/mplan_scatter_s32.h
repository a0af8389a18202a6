/* SPDX-License-Identifier: 0BSD */
/* mplan_scatter_s32.h - updates joined into a tensor where indices say, int32; they wrap. */
#ifndef MPLAN_SCATTER_S32_H
#define MPLAN_SCATTER_S32_H

#include "mplan_scatter_s8.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef mplan_scatter_s8_t mplan_scatter_s32_t;

/**
 * As mplan_scatter_s8(), but what is there is reduced with what comes, in the order of the
 * updates.
 */
void mplan_scatter_s32(const mplan_scatter_s32_t *p, const int8_t *in, const int8_t *indices,
                       const int8_t *updates, int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_SCATTER_S32_H */
