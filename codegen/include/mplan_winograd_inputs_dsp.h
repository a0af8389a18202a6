/* SPDX-License-Identifier: 0BSD */
/* mplan_winograd_inputs_dsp.h - where the input of a tile lies: see mplan_winograd_s8_dsp.h. */
#ifndef MPLAN_WINOGRAD_INPUTS_DSP_H
#define MPLAN_WINOGRAD_INPUTS_DSP_H

#include <string.h>

#include "mplan_tiles_dsp.h"
#include "mplan_winograd_s8_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_MOST_LINES (6U)

/* Input pixels along a tile of n: a kernel of 3, or of 1 where the tile is a single pixel. */
static size_t side_of(size_t n)
{
    return (n > 1U) ? (n + 2U) : 1U;
}

/* Where the input rows of some output rows are, NULL outside. */
static void find_lines(const mplan_winograd_s8_dsp_t *p, const int8_t *in, const int8_t **lines,
                       size_t y, size_t rows)
{
    const size_t side = side_of(p->tile_h);

    for (size_t i = 0U; i < side; i++) {
        const int32_t from = ((int32_t)y + (int32_t)i) - (int32_t)p->pad_top;

        lines[i] = NULL;
        if ((i > 2U) && (i >= (rows + 2U))) { /* of rows that there are not */
            lines[i] = lines[i - 1U];
        } else if ((from >= 0) && (from < (int32_t)p->in_h)) {
            lines[i] = &in[mplan_row(&p->in_rows, (size_t)from)];
        } else {
            /* outside */
        }
    }
}

/* A tile's input: in its place, or where not all of a row lies inside, in a copy. */
static void find_tile(const mplan_winograd_s8_dsp_t *p, mplan_tiles_t *job,
                      const int8_t *const *lines, int8_t *copy, int32_t x)
{
    const size_t in_c = p->in_c;
    const int32_t side = (int32_t)side_of(p->tile_w);
    const int32_t first = (x < 0) ? -x : 0; /* pixels */
    const int32_t left = (int32_t)p->in_w - x;
    const int32_t end = (left < side) ? left : side;

    for (size_t i = 0U; i < side_of(p->tile_h); i++) {
        int8_t *const to = &copy[i * (size_t)side * in_c];

        if ((lines[i] != NULL) && (first == 0) && (end == side)) {
            job->lines[i] = &lines[i][(size_t)x * in_c];
        } else {
            (void)memset(to, p->in_zero_point, (size_t)side * in_c);
            if ((lines[i] != NULL) && (first < end)) {
                (void)memcpy(&to[(size_t)first * in_c], &lines[i][(size_t)(x + first) * in_c],
                             (size_t)(end - first) * in_c);
            }
            job->lines[i] = to;
        }
    }
    for (size_t i = 1U; (p->tile_h == 1U) && (i < (size_t)side); i++) {
        job->lines[i] = &job->lines[i - 1U][in_c]; /* of a single row its pixels */
    }
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_WINOGRAD_INPUTS_DSP_H */
