/* SPDX-License-Identifier: 0BSD */
#include "mplan_winograd_w4_dsp.h"

#include "mplan_tiles4_dsp.h"
#include "mplan_tiles4_weights_dsp.h"
#include "mplan_winograd_inputs_dsp.h"

#define TILE (4U)
#define SIDE (6U)
#define POSITIONS (36U)
#define TAPS (9U)
#define LIFT (13056U)   /* of the first of two input channels */
#define LEVEL (73728U)  /* 128, as the one position shows it that does */
#define LEVEL_AT (7U)
#define HALF (32768U)

/* G of g0, g1, g2, three words apart; a word is 65536 * second + first of two input channels. */
static inline void transform_row(uint32_t g0, uint32_t g1, uint32_t g2, uint32_t *to)
{
    const uint32_t ends = g0 + g2;
    const uint32_t far_ends = g0 + (4U * g2);

    to[0] = 6U * g0;
    to[3] = 0U - (4U * (ends + g1));
    to[6] = 0U - (4U * (ends - g1));
    to[9] = far_ends + (2U * g1);
    to[12] = far_ends - (2U * g1);
    to[15] = 12U * g2;
}

/* What the sums start from: it takes off what keeps inputs from being negative. */
static void find_starts(const uint32_t *sums, uint32_t *to, uint32_t apart)
{
    uint32_t rows[3U * SIDE];
    uint32_t first[3];
    uint32_t both = 0U;

    for (size_t i = 0U; i < TAPS; i++) {
        first[i % 3U] = (uint32_t)(int32_t)(int16_t)(sums[i] & 0xFFFFU);
        both += first[i % 3U] + (uint32_t)((int32_t)(sums[i] - first[i % 3U]) >> 16);
        if ((i % 3U) == 2U) {
            transform_row(first[0], first[1], first[2], &rows[i / 3U]);
        }
    }
    mplan_tiles4_columns(rows, to, 4U * apart, 0U);
    for (size_t i = 0U; i < POSITIONS; i++) {
        to[i * apart] *= 0U - LIFT;
    }
    to[LEVEL_AT * apart] -= LEVEL * both;
}

/* Weights of four input channels: two words of two. */
static inline uint32_t spread(uint16_t four)
{
    return four | ((uint32_t)four << 8U);
}

static inline uint32_t lowered(uint32_t raised)
{
    return (raised & 0x000F000FU) - 0x00080008U;
}

/* One output channel of two, as mplan_winograd_s8_dsp_t has them. */
static MPLAN_APART void widen(const uint16_t *packed, uint32_t *to, size_t in_c)
{
    const uint32_t apart = (uint32_t)in_c + 2U; /* words of a position */
    uint32_t sums[TAPS] = {0U};
    uint32_t rows[2U * 3U * SIDE];

    for (size_t c = 0U; c < in_c; c += 4U) {
        for (size_t i = 0U; i < 3U; i++) {
            const uint32_t w0 = spread(packed[0]);
            const uint32_t w1 = spread(packed[1]);
            const uint32_t w2 = spread(packed[2]);
            const uint32_t a0 = lowered(w0);
            const uint32_t a1 = lowered(w1);
            const uint32_t a2 = lowered(w2);
            const uint32_t b0 = lowered(w0 >> 4U);
            const uint32_t b1 = lowered(w1 >> 4U);
            const uint32_t b2 = lowered(w2 >> 4U);

            sums[3U * i] += a0 + b0;
            sums[(3U * i) + 1U] += a1 + b1;
            sums[(3U * i) + 2U] += a2 + b2;
            transform_row(a0, a1, a2, &rows[i]);
            transform_row(b0, b1, b2, &rows[i + (3U * SIDE)]);
            packed = &packed[3];
        }
        mplan_tiles4_columns(rows, &to[2U + c], 4U * apart, HALF);
        mplan_tiles4_columns(&rows[3U * SIDE], &to[4U + c], 4U * apart, HALF);
    }
    find_starts(sums, to, apart);
}

/* Output channels [first, first + block), two of them in `words`. */
static void widen_block(const mplan_winograd_w4_dsp_t *p, uint32_t *to, size_t first, size_t words)
{
    const size_t halves = (TAPS * p->in_c) / 4U;
    const size_t from = ((halves + 1U) / 2U) + 2U; /* words of a channel */

    for (size_t i = 0U; i < p->block; i++) {
        const int32_t *const packed = &p->packed[(first + i) * from];
        uint32_t *const two = &to[(i / 2U) * words];
        uint32_t *const last = &two[(words - 4U) + (2U * (i % 2U))];

        widen((const uint16_t *)(const void *)packed, &two[i % 2U], p->in_c);
        last[0] = (uint32_t)packed[from - 2U];
        last[1] = (uint32_t)packed[from - 1U];
    }
}

/* Where the pixels of a tile go, those beyond the output to `spare`. */
static void find_outs(const mplan_winograd_w4_dsp_t *p, int8_t **outs, int8_t *out, int8_t *spare,
                      size_t y, size_t x, size_t rows)
{
    for (size_t r = 0U; r < TILE; r++) {
        int8_t *const row = (r < rows) ? &out[mplan_row(&p->out_rows, y + r)] : NULL;

        for (size_t i = x; i < (x + TILE); i++) {
            *outs = ((row != NULL) && (i < p->out_w)) ? &row[i * p->out_c] : spare;
            outs = &outs[1];
        }
    }
}

/* All tiles for the channels whose weights are there. */
static void make_tiles(const mplan_winograd_w4_dsp_t *p, mplan_tiles_t *job, const int8_t *in,
                       int8_t *out, size_t height, int8_t *spare)
{
    int8_t **const outs = (int8_t **)(void *)&job[1];
    const int8_t *lines[MPLAN_MOST_LINES];
    size_t count = 0U;

    for (size_t y = 0U; y < height; y += TILE) {
        const size_t rows = ((height - y) < TILE) ? (height - y) : TILE;

        find_lines(p, in, lines, y, rows);
        for (size_t x = 0U; x < p->out_w; x += TILE) {
            if (count == MPLAN_TILES_LANES) {
                job->outs_end = &outs[count * TILE * TILE];
                mplan_tiles4_channels(job);
                count = 0U;
            }
            find_tile(p, job, lines, (int8_t *)job->sums, (int32_t)x - (int32_t)p->pad_left);
            mplan_tiles4_inputs(job, &job->inputs[count]);
            find_outs(p, &outs[count * TILE * TILE], out, spare, y, x, rows);
            count++;
        }
    }
    job->outs_end = &outs[count * TILE * TILE];
    mplan_tiles4_channels(job);
}

/* The same for more channels of tiles whose inputs are still there. */
static void make_more(mplan_tiles_t *job, size_t channels)
{
    int8_t **outs = (int8_t **)(void *)&job[1];

    while (outs != job->outs_end) {
        *outs = &(*outs)[channels];
        outs = &outs[1];
    }
    mplan_tiles4_channels(job);
}

MPLAN_KERNEL void mplan_winograd_w4_dsp(const mplan_winograd_w4_dsp_t *p, const int8_t *in,
                                        int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    mplan_tiles_t *const job = (mplan_tiles_t *)(void *)scratch;
    const size_t steps = (size_t)p->in_c / 2U;
    const size_t filled = MPLAN_TILES_UNROLL - 1U - ((steps + 6U) % MPLAN_TILES_UNROLL);
    const size_t copied = POSITIONS * (size_t)p->in_c;
    const size_t summed = POSITIONS * MPLAN_TILES_LANES * 2U * sizeof(int32_t);
    const size_t apart = POSITIONS * MPLAN_TILES_LANES * sizeof(uint32_t); /* of the steps */
    const size_t words = (POSITIONS * ((size_t)p->in_c + 2U)) + 4U;       /* of two channels */
    int8_t *const inputs = &scratch[sizeof *job + (MPLAN_TILES_LANES * 16U * sizeof(int8_t *))];
    int8_t *const sums = &inputs[(steps * apart) + MPLAN_TILES4_WORK];
    int8_t *const spare = &sums[(copied > summed) ? copied : summed];
    uint32_t *const weights = (uint32_t *)(void *)&spare[(((size_t)p->out_c + 3U) / 4U) * 4U];
    const size_t tiles = ((y1 + 3U) / TILE) * (((size_t)p->out_w + 3U) / TILE);

    job->packed = (const int32_t *)(const void *)weights;
    job->end = &job->packed[((size_t)p->block / 2U) * words];
    job->inputs = (uint32_t *)(void *)inputs;
    job->sums = (int32_t *)(void *)sums;
    job->skip = (uint32_t)(filled * (size_t)MPLAN_TILES_STEP_BYTES);
    job->back = (1 - (int32_t)filled) * (int32_t)apart;
    job->stop = (const uint32_t *)(const void *)&inputs[steps * apart];
    job->zero_point = p->out_zero_point;
    job->apart = p->in_c;
    for (size_t first = 0U; first < p->out_c; first += p->block) {
        widen_block(p, weights, first, words);
        if ((first > 0U) && (tiles <= MPLAN_TILES_LANES)) {
            make_more(job, p->block);
        } else {
            make_tiles(p, job, in, &out[first], y1, &spare[first]);
        }
    }
    for (size_t y = y0; ((p->act_min > -128) || (p->act_max < 127)) && (y < y1); y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < ((size_t)p->out_w * p->out_c); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}
