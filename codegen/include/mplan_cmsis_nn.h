/* SPDX-License-Identifier: 0BSD */
/* mplan_cmsis_nn.h - what kernels that call CMSIS-NN share: the library, and bands of rows. */
#ifndef MPLAN_CMSIS_NN_H
#define MPLAN_CMSIS_NN_H

#include <string.h>

#include "mplan.h"

#include "arm_nnfunctions.h"

/*
 * One rounding of each result, as in the models' arithmetic; without it CMSIS-NN rounds twice, and
 * some results are off by one. The library is compiled with the same macro.
 */
#if !defined(CMSIS_NN_USE_SINGLE_ROUNDING)
#error "mplan: compile CMSIS-NN and this with -DCMSIS_NN_USE_SINGLE_ROUNDING"
#endif

/*
 * What is done when a function of the library refuses its arguments, or wants a larger buffer than
 * the one that was planned: a release that these kernels do not know. It must not return.
 */
#ifndef MPLAN_CMSIS_NN_STOP
#if defined(__GNUC__) || defined(__clang__)
#define MPLAN_CMSIS_NN_STOP() __builtin_trap()
#else
#define MPLAN_CMSIS_NN_STOP() \
    do {                      \
    } while (1)
#endif
#endif

/** Goes on where a condition holds. */
static inline void mplan_cmsis_nn_require(int holds)
{
    if (holds == 0) {
        MPLAN_CMSIS_NN_STOP();
    }
}

/** How the windows of an operator lie in the rows of its input. */
typedef struct {
    const mplan_rows_t *in_rows;
    const mplan_rows_t *out_rows;
    size_t in_bytes;  /* of a row */
    size_t out_bytes; /* of a row */
    int32_t in_h;
    int32_t kernel_h;
    int32_t stride_h;
    int32_t dilation_h;
    int32_t pad_top;
    size_t together; /* output rows that one call may make */
    int8_t padding;  /* value of an element of a row outside */
} mplan_windows_t;

/** Input rows that lie one behind another, and the output rows that are made of them. */
typedef struct {
    const int8_t *in;
    int32_t in_h;
    int32_t dilation_h;
    int32_t pad_top;
    size_t rows;
} mplan_band_t;

/** Whether rows [first, end) lie one behind another. */
static inline int mplan_adjoin(const mplan_rows_t *rows, size_t first, size_t end, size_t bytes)
{
    int adjoin = 1;

    for (size_t y = first + 1U; y < end; y++) {
        if (mplan_row(rows, y) != (mplan_row(rows, y - 1U) + bytes)) {
            adjoin = 0;
        }
    }
    return adjoin;
}

/** Windows of output rows [y, end) as they lie in the input; none where its rows are scattered. */
static inline mplan_band_t mplan_band_in_place(const mplan_windows_t *of, const int8_t *in,
                                               size_t y, size_t end)
{
    const int32_t last = MPLAN_CAST(int32_t, end) - 1;
    const int32_t top = (MPLAN_CAST(int32_t, y) * of->stride_h) - of->pad_top;
    const int32_t reach = ((of->kernel_h - 1) * of->dilation_h) + 1;
    const int32_t bottom = ((last * of->stride_h) - of->pad_top) + reach;
    const int32_t from = (top < 0) ? 0 : top;
    const int32_t to = (bottom < of->in_h) ? bottom : of->in_h;
    mplan_band_t band = {NULL, to - from, of->dilation_h, from - top, 0U};

    if ((from < to) &&
        (mplan_adjoin(of->in_rows, MPLAN_CAST(size_t, from), MPLAN_CAST(size_t, to),
                      of->in_bytes) != 0)) {
        band.in = &in[mplan_row(of->in_rows, MPLAN_CAST(size_t, from))];
        band.rows = end - y;
    }
    return band;
}

/**
 * Input of the next output rows from y on, as many up to y1 as one call may make: where they lie
 * one behind another, or else the rows of one window copied to `copy`, padding included.
 */
static inline mplan_band_t mplan_band(const mplan_windows_t *of, const int8_t *in, size_t y,
                                      size_t y1, int8_t *copy)
{
    const size_t end = ((y1 - y) < of->together) ? y1 : (y + of->together);
    mplan_band_t band = {NULL, 0, 1, 0, 0U};

    if (mplan_adjoin(of->out_rows, y, end, of->out_bytes) != 0) {
        band = mplan_band_in_place(of, in, y, end);
    }
    if (band.rows == 0U) {
        band = mplan_band_in_place(of, in, y, y + 1U);
    }
    if (band.rows == 0U) {
        const int32_t top = (MPLAN_CAST(int32_t, y) * of->stride_h) - of->pad_top;

        for (int32_t i = 0; i < of->kernel_h; i++) {
            const int32_t row = top + (i * of->dilation_h);
            int8_t *const to = &copy[MPLAN_CAST(size_t, i) * of->in_bytes];

            if ((row >= 0) && (row < of->in_h)) {
                (void)memcpy(to, &in[mplan_row(of->in_rows, MPLAN_CAST(size_t, row))],
                             of->in_bytes);
            } else {
                (void)memset(to, of->padding, of->in_bytes);
            }
        }
        band.in = copy;
        band.in_h = of->kernel_h;
        band.dilation_h = 1;
        band.pad_top = 0;
        band.rows = 1U;
    }
    return band;
}

#endif /* MPLAN_CMSIS_NN_H */
