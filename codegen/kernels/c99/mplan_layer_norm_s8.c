/* SPDX-License-Identifier: 0BSD */
#include "mplan_layer_norm_s8.h"

/** floor(sqrt(value)), bit by bit. */
static uint32_t root_of(uint32_t value)
{
    uint32_t rest = value;
    uint32_t root = 0U;

    for (uint32_t bit = 0x40000000U; bit != 0U; bit >>= 2) {
        if (rest >= (root + bit)) {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}

/** Halves up; to the left where shift is negative. */
static int32_t shifted(int64_t value, int32_t shift)
{
    int64_t result;

    if (shift > 0) {
        result = (value + ((int64_t)1 << (shift - 1))) >> shift;
    } else {
        result = value * ((int64_t)1 << -shift);
    }
    return (int32_t)result;
}

/** n^2 times the variance of a pixel; its sum beside it. */
static uint64_t spread_of(const mplan_layer_norm_s8_t *p, const int8_t *in, int32_t *sum)
{
    int32_t total = 0;
    uint32_t squares = 0U;

    for (size_t c = 0U; c < p->channels; c++) {
        const int32_t q = in[c];

        total += q;
        squares += (uint32_t)(q * q);
    }
    *sum = total;
    return ((uint64_t)squares * p->channels) - (uint64_t)((int64_t)total * total);
}

static void pixel(const mplan_layer_norm_s8_t *p, const int8_t *in, int8_t *out)
{
    int32_t sum;
    uint64_t spread = (spread_of(p, in, &sum) << 16) + ((uint64_t)p->epsilon << p->epsilon_shift);
    int32_t half = 0; /* sqrt(spread) = root * 2^half, and 2^8 times the deviation times n */
    uint32_t root;
    int32_t reciprocal;

    while (spread >= 0x100000000U) {
        spread >>= 2;
        half++;
    }
    while (spread < 0x40000000U) {
        spread <<= 2;
        half--;
    }
    root = root_of((uint32_t)spread);
    reciprocal = (int32_t)((0x80000000U + (root >> 1)) / root);
    for (size_t c = 0U; c < p->channels; c++) {
        const int32_t below = ((int32_t)p->channels * in[c]) - sum;
        const int32_t unit = shifted((int64_t)below * reciprocal, half + 3);
        const int32_t fine = shifted((int64_t)unit * p->gain[c], p->gain_shift) + p->offset[c];

        out[c] = (int8_t)mplan_clamp(((fine + 32768) >> 16) + p->out_zero_point, -128, 127);
    }
}

MPLAN_KERNEL
void mplan_layer_norm_s8(const mplan_layer_norm_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->pixels; x++) {
            pixel(p, &from[x * p->channels], &to[x * p->channels]);
        }
    }
}
