/* SPDX-License-Identifier: 0BSD */
/* mplan_recurrent_f32.h - LSTM, GRU and RNN in float32: a row of the input for each step. */
#ifndef MPLAN_RECURRENT_F32_H
#define MPLAN_RECURRENT_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Functions of gates; with alpha a and beta b. */
enum {
    MPLAN_CELL_SIGMOID = 0,
    MPLAN_CELL_TANH = 1,
    MPLAN_CELL_RELU = 2,
    MPLAN_CELL_AFFINE = 3,           /* a * x + b */
    MPLAN_CELL_LEAKY_RELU = 4,       /* below 0 a * x */
    MPLAN_CELL_THRESHOLDED_RELU = 5, /* below a 0 */
    MPLAN_CELL_SCALED_TANH = 6,      /* a * tanh(b * x) */
    MPLAN_CELL_HARD_SIGMOID = 7,     /* a * x + b within [0, 1] */
    MPLAN_CELL_ELU = 8,              /* below 0 a * (exp(x) - 1) */
    MPLAN_CELL_SOFTSIGN = 9,
    MPLAN_CELL_SOFTPLUS = 10
};

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t in3_rows;
    mplan_rows_t out_rows;
    mplan_rows_t out2_rows;
    const float *weights;     /* [gates * hidden][in_c]; i, o, f, c or z, r, h as in ONNX */
    const float *recurrent;   /* [gates * hidden][hidden] */
    const float *bias;        /* [gates * hidden]; if linear_before_reset [hidden] more, for h */
    const float *peepholes;   /* of i, o, f [3][hidden]; NULL: none */
    const uint32_t *lengths;  /* [batch] steps of each sequence; NULL: all */
    uint32_t steps;
    uint32_t batch;
    uint32_t in_c;
    uint32_t hidden;
    float clip; /* of what functions are given, if clips */
    float first_alpha;
    float first_beta;
    float second_alpha;
    float second_beta;
    float third_alpha;
    float third_beta;
    uint8_t first; /* functions: MPLAN_CELL_... of gates, candidate, cell */
    uint8_t second;
    uint8_t third;
    uint8_t kind; /* 0 LSTM, 1 GRU, 2 RNN */
    uint8_t clips;
    uint8_t reverse;
    uint8_t input_forget;
    uint8_t linear_before_reset;
    uint8_t last;
    uint8_t gives_rows;
} mplan_recurrent_f32_t;

/**
 * Steps [y0, y1), each of them with every sequence of the batch: in rows of [batch][in_c], state
 * [batch][h, and of an LSTM c][hidden], out rows of [batch][hidden], floats at multiples of 4.
 * The state is what the steps before have left in it, and these leave in it what comes next. out
 * must not overlap it, nor the input rows that are still to be read.
 * Sums begin with the bias and take x, then h, input by input, each product and sum rounded to
 * float32. scratch: hidden floats, twice as many for a GRU without linear_before_reset.
 * If `last`, the state stays: a copy made at step 0 goes on in `out`, and there are no rows; or
 * with `gives_rows` in `other`, and all steps are made at once. Else `other` is not used.
 */
void mplan_recurrent_f32(const mplan_recurrent_f32_t *p, const int8_t *in, int8_t *state,
                         int8_t *other, int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_RECURRENT_F32_H */
