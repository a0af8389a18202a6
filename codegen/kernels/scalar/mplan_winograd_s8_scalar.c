/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_tiles.h"
#include "mplan_winograd_s8_scalar.h"

/* A row of tiles. */
typedef struct {
    const mplan_winograd_s8_scalar_t *p;
    uint32_t *inputs;  /* [position][pair][in_c], transformed: the halves are two tiles */
    uint32_t *weights; /* [position][part], transformed: the halves are two output channels */
    uint32_t *sums;    /* [pair][position][channel of two][tile of two], of one part one pair */
    size_t sums_apart; /* from pair to pair */
    size_t pairs;
    const int8_t *padding;     /* [in_c] */
    const int8_t *lines[SIDE]; /* NULL: padding */
    outputs_t outputs;         /* NULL: no such row */
} row_t;

static const int8_t *pixel(const row_t *row, const int8_t *line, int32_t x)
{
    const mplan_winograd_s8_scalar_t *const p = row->p;
    const int8_t *found = row->padding;

    if ((line != NULL) && (x >= 0) && (x < (int32_t)p->in_w)) {
        found = &line[(size_t)x * p->in_c];
    }
    return found;
}

static void inputs_of_row(const row_t *row)
{
    const mplan_winograd_s8_scalar_t *const p = row->p;
    const uint32_t apart_bytes = (uint32_t)(4U * row->pairs * p->channels);
    int32_t left = -(int32_t)p->pad_left;

    for (size_t pair = 0U; pair < row->pairs; pair++) {
        const int8_t *at[SIDE][SIDE][2];

        for (size_t y = 0U; y < SIDE; y++) {
            for (size_t i = 0U; i < SIDE; i++) {
                const int8_t **const two = at[y][(i == (SIDE - 1U)) ? 0U : (i + 1U)];

                two[0] = pixel(row, row->lines[y], left + (int32_t)i);
                two[1] = pixel(row, row->lines[y], left + (int32_t)(i + TILE));
            }
        }
        transform_pair(at, &row->inputs[pair * p->channels], apart_bytes, p->in_c);
        left += (int32_t)(2U * TILE);
    }
}

/* One channel of a tile, of which some lies beyond the output. */
static void finish_cut_tile(const row_t *row, const uint32_t *sums, size_t x)
{
    outputs_t outputs = row->outputs;
    const size_t across = row->p->out_w - x;
    int8_t spare[TILE * TILE];

    for (size_t y = 0U; y < TILE; y++) {
        outputs.outs[y] = &spare[TILE * y];
    }
    outputs.at = 0U;
    outputs.apart = 1U;
    finish_tile(sums, &outputs);
    for (size_t y = 0U; (y < TILE) && (row->outputs.outs[y] != NULL); y++) {
        for (size_t i = 0U; (i < TILE) && (i < across); i++) {
            row->outputs.outs[y][row->outputs.at + (i * row->p->out_c)] = spare[(TILE * y) + i];
        }
    }
}

/* One channel of a tile. */
static void finish(row_t *row, const uint32_t *sums, size_t channel, size_t x)
{
    const mplan_winograd_s8_scalar_t *const p = row->p;

    row->outputs.at = (uint32_t)((x * p->out_c) + channel);
    row->outputs.bias = 36U * (uint32_t)p->bias[channel];
    row->outputs.multiplier = p->multiplier[channel];
    if (((x + TILE) <= p->out_w) && (row->outputs.outs[TILE - 1U] != NULL)) {
        finish_tile(sums, &row->outputs);
    } else {
        finish_cut_tile(row, sums, x);
    }
}

/* Two channels of two tiles. */
static void finish_pair(row_t *row, const uint32_t *sums, size_t channel, size_t x)
{
    for (size_t i = 0U; (i < 2U) && ((x + (TILE * i)) < row->p->out_w); i++) {
        finish(row, &sums[i], channel, x + (TILE * i));
        finish(row, &sums[2U + i], channel + 1U, x + (TILE * i));
    }
}

/* Two output channels of a row of tiles. */
static void two_channels(row_t *row, size_t channel)
{
    const mplan_winograd_s8_scalar_t *const p = row->p;
    const int8_t *const packed = (const int8_t *)p->packed;
    const size_t skip = (row->pairs * p->channels) - p->part;
    const uint32_t blocks = (p->part / 2U) - 1U; /* behind the first one */
    const uint32_t left_out = (BLOCKS - (blocks % BLOCKS)) % BLOCKS;
    const stride_t stride = {4U * p->part, (uint32_t)(4U * skip), BLOCK_BYTES * left_out};

    for (size_t first = 0U; first < p->channels; first += p->part) {
        transform_part(&packed[9U * ((channel * p->channels) + (2U * first))], row->weights,
                       p->part);
        for (size_t pair = 0U; pair < row->pairs; pair++) {
            const uint32_t *const inputs = &row->inputs[(pair * p->channels) + first];
            uint32_t *const sums = &row->sums[row->sums_apart * pair];

            if (first == 0U) {
                first_products(row->weights, inputs, sums, &stride);
            } else {
                more_products(row->weights, inputs, sums, &stride);
            }
            if ((first + p->part) == p->channels) {
                finish_pair(row, sums, channel, 2U * TILE * pair);
            }
        }
    }
}

MPLAN_KERNEL
void mplan_winograd_s8_scalar(const mplan_winograd_s8_scalar_t *p, const int8_t *in, int8_t *out,
                              size_t y0, size_t y1, int8_t *scratch)
{
    row_t row;
    int8_t *padding;
    const size_t end = (size_t)p->in_h + p->pad_top;
    const size_t last = ((y1 + 2U) < end) ? (y1 + 2U) : end;

    row.p = p;
    row.pairs = (p->out_w + (2U * TILE) - 1U) / (2U * TILE);
    row.inputs = (uint32_t *)(void *)scratch;
    row.weights = &row.inputs[POSITIONS * row.pairs * p->channels];
    row.sums = &row.weights[POSITIONS * p->part];
    row.sums_apart = (p->part == p->channels) ? 0U : (4U * POSITIONS);
    padding = (int8_t *)(void *)&row.sums[(row.sums_apart * (row.pairs - 1U)) + (4U * POSITIONS)];
    (void)memset(padding, p->in_zero_point, p->in_c);
    row.padding = padding;
    row.outputs.apart = p->out_c;
    row.outputs.offset = ((int32_t)p->out_zero_point * 65536) + 32768;
    row.outputs.act_min = p->act_min;
    row.outputs.act_max = p->act_max;
    for (size_t y = y0; y < y1; y += TILE) {
        for (size_t i = 0U; i < SIDE; i++) { /* of rows behind the last nothing is asked */
            const size_t below = y + i;

            row.lines[i] = NULL;
            if ((below >= p->pad_top) && (below < last)) {
                row.lines[i] = &in[mplan_row(&p->in_rows, below - p->pad_top)];
            }
        }
        for (size_t i = 0U; i < TILE; i++) {
            row.outputs.outs[i] = ((y + i) < y1) ? &out[mplan_row(&p->out_rows, y + i)] : NULL;
        }
        inputs_of_row(&row);
        for (size_t channel = 0U; channel < p->out_c; channel += 2U) {
            two_channels(&row, channel);
        }
    }
}
