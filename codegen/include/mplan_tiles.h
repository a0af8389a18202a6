/* SPDX-License-Identifier: 0BSD */
/* mplan_tiles.h - minimal filtering of tiles, F(4x4, 3x3), of two values in each word.
 *
 * Words hold values of two tiles, or of two output channels: while they are transformed as
 * 65536 * second + first, then as two halves. With weights times 24 along each axis all of it is
 * integers, modulo 2^32. */
#ifndef MPLAN_TILES_H
#define MPLAN_TILES_H

#include <string.h>

#include "mplan.h"

#define TILE (4U)       /* output pixels along a tile */
#define SIDE (6U)       /* input pixels */
#define POSITIONS (36U) /* products of a channel of a tile */
#define BLOCK_BYTES (58U) /* of code, for two channels: a turn of the loop has four of them */
#define BLOCKS (4U)

/* Where the products of a pair of tiles lie; the offsets stand in the assembly. */
typedef struct {
    uint32_t part_bytes;  /* 0: of an even number of channels, at least 4 */
    uint32_t skip_bytes;  /* 4: of the inputs, from the end of a part to the next position's */
    uint32_t enter_bytes; /* 8: of code that the first turn of a loop leaves out */
} stride_t;

/* What becomes of the sums of a tile; the offsets stand in the assembly. */
typedef struct {
    int8_t *outs[TILE]; /*  0: of each row */
    uint32_t at;        /* 16: bytes to the first pixel */
    uint32_t bias;      /* 20: times 36, for the one position of which each output has 16 */
    uint32_t apart;     /* 24: bytes from pixel to pixel */
    int32_t multiplier; /* 28 */
    int32_t offset;     /* 32: 65536 times the zero point, and one half */
    int32_t act_min;    /* 36 */
    int32_t act_max;    /* 40 */
} outputs_t;

#if defined(__thumb__) && !defined(__thumb2__)
#include "mplan_tiles_armv6m.h"
#else

static uint32_t joined(int8_t first, int8_t second)
{
    return (uint32_t)(int32_t)first + ((uint32_t)(int32_t)second << 16);
}

static uint32_t halves(uint32_t word)
{
    return (word + 32768U) ^ 32768U;
}

/* B' d of six values, `apart` words apart. */
static void transform_inputs(uint32_t *d, size_t apart)
{
    uint32_t *const d1 = &d[apart];
    uint32_t *const d2 = &d1[apart];
    uint32_t *const d3 = &d2[apart];
    uint32_t *const d4 = &d3[apart];
    uint32_t *const d5 = &d4[apart];
    const uint32_t a = *d4 - (4U * *d2);
    const uint32_t b = *d3 - (4U * *d1);
    const uint32_t c = *d4 - *d2;
    const uint32_t e = 2U * (*d3 - *d1);

    *d5 = *d5 - *d3 - (2U * e);
    *d = (4U * (*d - *d2)) + c;
    *d1 = a + b;
    *d2 = a - b;
    *d3 = c + e;
    *d4 = c - e;
}

/* B' d B of all input channels of two tiles, [position][..][in_c]; `at` holds their pixels. */
static void transform_pair(const int8_t *const at[SIDE][SIDE][2], uint32_t *to,
                           uint32_t apart_bytes, uint32_t in_c)
{
    const size_t apart = apart_bytes / 4U;

    for (size_t c = 0U; c < in_c; c++) {
        uint32_t d[POSITIONS];

        for (size_t y = 0U; y < SIDE; y++) {
            for (size_t x = 0U; x < SIDE; x++) {
                const int8_t *const *const two = at[y][(x + 1U) % SIDE];

                d[(SIDE * y) + x] = joined(two[0][c], two[1][c]);
            }
            transform_inputs(&d[SIDE * y], 1U);
        }
        for (size_t x = 0U; x < SIDE; x++) {
            transform_inputs(&d[x], SIDE);
        }
        for (size_t i = 0U; i < POSITIONS; i++) {
            to[(apart * i) + c] = halves(d[i]);
        }
    }
}

/* G g of three values to six, `apart` words apart. */
static void transform_weights(uint32_t g0, uint32_t g1, uint32_t g2, uint32_t *to, size_t apart)
{
    const uint32_t ends = g0 + g2;
    const uint32_t far_ends = g0 + (4U * g2);

    to[0] = g0;
    to[apart] = ends + g1;
    to[2U * apart] = ends - g1;
    to[3U * apart] = far_ends + (2U * g1);
    to[4U * apart] = far_ends - (2U * g1);
    to[5U * apart] = g2;
}

/* G g G' of some input channels of two output channels, [position][part]. */
static void transform_part(const int8_t *packed, uint32_t *to, uint32_t part)
{
    for (size_t c = 0U; c < part; c++) {
        const uint8_t *const g = (const uint8_t *)&packed[(36U * (c / 2U)) + (c % 2U)];
        uint32_t rows[3U * SIDE];
        uint32_t words[9];

        for (size_t i = 0U; i < 9U; i++) {
            words[i] = joined((int8_t)(g[4U * i] ^ 128U), (int8_t)(g[(4U * i) + 2U] ^ 128U));
        }
        for (size_t x = 0U; x < 3U; x++) {
            transform_weights(words[3U * x], words[(3U * x) + 1U], words[(3U * x) + 2U], &rows[x],
                              3U);
        }
        for (size_t y = 0U; y < SIDE; y++) {
            const uint32_t *const row = &rows[3U * y];

            transform_weights(row[0], row[1], row[2], &to[(SIDE * y * part) + c], part);
        }
    }
    for (size_t i = 0U; i < (POSITIONS * part); i++) {
        to[i] = halves(to[i]);
    }
}

/* Adds to the sums of a pair of tiles the products of some more input channels. */
static void more_products(const uint32_t *weights, const uint32_t *inputs, uint32_t *sums,
                         const stride_t *stride)
{
    const size_t part = stride->part_bytes / 4U;

    for (size_t i = 0U; i < POSITIONS; i++) {
        for (size_t c = 0U; c < part; c++) {
            const uint32_t a = (uint32_t)(int32_t)(int16_t)(weights[c] & 0xFFFFU);
            const uint32_t b = (uint32_t)((int32_t)weights[c] >> 16);
            const uint32_t first = (uint32_t)(int32_t)(int16_t)(inputs[c] & 0xFFFFU);
            const uint32_t second = (uint32_t)((int32_t)inputs[c] >> 16);

            sums[0] += a * first;
            sums[1] += a * second;
            sums[2] += b * first;
            sums[3] += b * second;
        }
        weights = &weights[part];
        inputs = &inputs[part + (stride->skip_bytes / 4U)];
        sums = &sums[4];
    }
}

/* The sums of a pair of tiles over some input channels. */
static void first_products(const uint32_t *weights, const uint32_t *inputs, uint32_t *sums,
                           const stride_t *stride)
{
    (void)memset(sums, 0, 4U * POSITIONS * sizeof *sums);
    more_products(weights, inputs, sums, stride);
}

/* A' m of six sums, `apart` words apart, to four, 24 times too large. */
static void transform_sums(const uint32_t *m, size_t apart, uint32_t *to)
{
    const uint32_t s = m[apart] + m[2U * apart];
    const uint32_t d = m[apart] - m[2U * apart];
    const uint32_t q = m[3U * apart] + m[4U * apart];
    const uint32_t r = m[3U * apart] - m[4U * apart];

    to[0] = (6U * m[0]) - (4U * s) + q;
    to[1] = 2U * (r - (2U * d));
    to[2] = 4U * (q - s);
    to[3] = (4U * ((2U * r) - d)) + (24U * m[5U * apart]);
}

/* One channel of a tile: outputs from the sums, which lie four words apart. */
static void finish_tile(const uint32_t *sums, const outputs_t *outputs)
{
    uint32_t rows[TILE * SIDE];

    for (size_t y = 0U; y < SIDE; y++) {
        uint32_t row[SIDE];

        for (size_t x = 0U; x < SIDE; x++) {
            row[x] = sums[4U * ((SIDE * y) + x)];
        }
        row[1] += (y == 1U) ? outputs->bias : 0U;
        transform_sums(row, 1U, &rows[TILE * y]);
    }
    for (size_t x = 0U; x < TILE; x++) {
        uint32_t column[TILE];

        transform_sums(&rows[x], TILE, column);
        for (size_t y = 0U; y < TILE; y++) {
            const int32_t sum = (int32_t)(column[y] * 0x38E38E39U) >> 6; /* by 9 and 64 */
            const int32_t zero_point = outputs->offset >> 16;
            const int32_t value = mplan_scale_30(sum, outputs->multiplier) + zero_point;

            outputs->outs[y][outputs->at + (outputs->apart * x)] =
                (int8_t)mplan_clamp(value, outputs->act_min, outputs->act_max);
        }
    }
}

#endif

#endif /* MPLAN_TILES_H */
