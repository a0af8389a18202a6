/* SPDX-License-Identifier: 0BSD */
/* mplan_recurrent_s8.h - LSTM, GRU and RNN: int8 in and out, the state in int16. */
#ifndef MPLAN_RECURRENT_S8_H
#define MPLAN_RECURRENT_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t in3_rows;
    mplan_rows_t out_rows;
    mplan_rows_t out2_rows;
    const int8_t *weights;       /* [gates * hidden][in_c]; i, o, f, c or z, r, h as in ONNX */
    const int8_t *recurrent;     /* [gates * hidden][hidden] */
    const int16_t *tanh_table;   /* [513] tanh of -8, -8 + 1/32 .. 8, 15 bits of fraction */
    const int32_t *x_multiplier; /* [gates * hidden] of sums of x, in units of a function's input */
    const int32_t *h_multiplier; /* of sums of h */
    const int32_t *bias;      /* [gates * hidden], x's zero point in it; if linear_before_reset one
                                 more [hidden], of the candidate's h */
    const int32_t *peepholes; /* of i, o, f [3][hidden], 16 bits of fraction; NULL: none */
    const uint32_t *lengths;  /* [batch] steps of each sequence; NULL: all */
    uint32_t steps;
    uint32_t batch;
    uint32_t in_c;
    uint32_t hidden;
    int32_t out_multiplier; /* of h */
    int16_t first_limit;    /* of what functions are given: of gates, candidate */
    int16_t second_limit;
    uint8_t first_is_tanh; /* else sigmoid; of gates, candidate, cell */
    uint8_t second_is_tanh;
    uint8_t third_is_tanh;
    uint8_t kind; /* 0 LSTM, 1 GRU, 2 RNN */
    uint8_t reverse;
    uint8_t input_forget;
    uint8_t linear_before_reset;
    uint8_t last;
    uint8_t gives_rows;
    uint8_t x_pre_shift; /* left shifts of sums */
    uint8_t h_pre_shift;
    uint8_t h_right; /* right shift of h for its products, where the sums need it */
    uint8_t reach;   /* of cells: +-2^reach; 4 at least */
    uint8_t out_pre_shift;
    int8_t out_zero_point;
} mplan_recurrent_s8_t;

/**
 * Steps [y0, y1), each of them with every sequence of the batch: in rows of [batch][in_c], state
 * [batch][h, and of an LSTM c][hidden] of int16, at a multiple of 2 bytes as scratch, out rows of
 * [batch][hidden].
 * The state is what the steps before have left in it, and these leave in it what comes next. out
 * must not overlap it, nor the input rows that are still to be read.
 * h and gates have 15 bits of fraction, c has 15 - reach; tanh takes 12 bits of fraction, sigmoid
 * 11. Sums of x and of h are 32 bits each and brought to those units by rounding halves up.
 * scratch: hidden times 2 bytes, twice as many for a GRU without linear_before_reset.
 * If `last`, the state stays: a copy made at step 0 goes on in `out`, and there are no rows; or
 * with `gives_rows` in `other`, and all steps are made at once. Else `other` is not used.
 */
void mplan_recurrent_s8(const mplan_recurrent_s8_t *p, const int8_t *in, int8_t *state,
                        int8_t *other, int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_RECURRENT_S8_H */
