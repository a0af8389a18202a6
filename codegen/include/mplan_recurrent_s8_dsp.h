/* SPDX-License-Identifier: 0BSD */
/* mplan_recurrent_s8_dsp.h - LSTM, GRU and RNN: on cores with dual 16-bit multiply-accumulate. */
#ifndef MPLAN_RECURRENT_S8_DSP_H
#define MPLAN_RECURRENT_S8_DSP_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t in3_rows;
    mplan_rows_t out_rows;
    mplan_rows_t out2_rows;
    const int32_t *weights;      /* as mplan_recurrent_s8 has them, packed: see below */
    const int32_t *recurrent;
    const int16_t *tanh_table;   /* [513] tanh of -8, -8 + 1/32 .. 8, 15 bits of fraction */
    const int32_t *bias;         /* [gates * hidden], x's zero point in it; if linear_before_reset
                                    [hidden] more, of the candidate's h; up to a multiple of four */
    const int32_t *peepholes;    /* of i, o, f [3][hidden], 16 bits of fraction; NULL: none */
    const uint32_t *lengths;     /* [batch] steps of each sequence; NULL: all */
    uint32_t steps;
    uint32_t batch;
    uint32_t in_c;
    uint32_t hidden;
    int32_t out_multiplier; /* of h */
    uint8_t kind; /* 0 LSTM, 1 GRU, 2 RNN */
    uint8_t reverse;
    uint8_t linear_before_reset;
    uint8_t last;
    uint8_t gives_rows;
    uint8_t x_pre_shift; /* left shifts of sums */
    uint8_t h_right;     /* right shift of h for its products, where the sums need it */
    uint8_t reach;       /* of cells: +-2^reach; 4 at least */
    uint8_t out_pre_shift;
    int8_t out_zero_point;
} mplan_recurrent_s8_dsp_t;

/*
 * Packed: as mplan_gate_sums_dsp.h reads them, rows and inputs up to a multiple of four with 0.
 * Inputs of `weights` go on as bytes are widened: 0, 2, 1, 3 of each whole four.
 */

/**
 * As mplan_recurrent_s8, bit for bit, where gates have the sigmoid, all else tanh, nothing is
 * clipped, and i and f are not coupled. Sums of x fit 32 bits when shifted left by x_pre_shift,
 * those of h are not shifted; inputs so shifted fit 16 bits. out_pre_shift is 16 at most.
 * scratch, at a multiple of 4 bytes: in_c and hidden, each up to a multiple of 4, times 2 bytes;
 * 4 bytes for each row, and with linear_before_reset for hidden more, up to a multiple of 4 of them
 * and 4 more. A GRU has an even number of units.
 */
void mplan_recurrent_s8_dsp(const mplan_recurrent_s8_dsp_t *p, const int8_t *in, int8_t *state,
                            int8_t *other, int8_t *out, size_t y0, size_t y1, int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_RECURRENT_S8_DSP_H */
