/* SPDX-License-Identifier: 0BSD */
#include "mplan_tiles1_dsp.h"
#include "mplan_tiles2_dsp.h"
#include "mplan_tiles4_dsp.h"
#include "mplan_winograd_inputs_dsp.h"

/* Input of one tile to its lane. */
static void transform(const mplan_winograd_s8_dsp_t *p, const mplan_tiles_t *job, size_t lane)
{
    uint32_t *const to = &job->inputs[lane];

    if (p->tile_h != p->tile_w) {
        mplan_tiles1_inputs(job, to);
    } else if (p->tile_h == 2U) {
        mplan_tiles2_inputs(job, to);
    } else {
        mplan_tiles4_inputs(job, to);
    }
}

/* All channels of the tiles that wait. */
static void flush(const mplan_winograd_s8_dsp_t *p, mplan_tiles_t *job, int8_t **outs, size_t count)
{
    job->outs_end = &outs[count * p->tile_h * p->tile_w];
    if (p->tile_h != p->tile_w) {
        mplan_tiles1_channels(job);
    } else if (p->tile_h == 2U) {
        mplan_tiles2_channels(job);
    } else {
        mplan_tiles4_channels(job);
    }
}

/* Bytes of a row whose pixels are a multiple of a tile's. */
static size_t spare_bytes(const mplan_winograd_s8_dsp_t *p)
{
    const size_t n = p->tile_w;

    return (((p->out_w + n) - 1U) / n) * n * p->out_c;
}

/* Where the pixels of a tile go: row 0 to its place, others to `spare`, as does what is beyond. */
static void find_outs(const mplan_winograd_s8_dsp_t *p, int8_t **outs, int8_t *row0, int8_t *spare,
                      size_t x)
{
    int8_t *row = row0;

    for (size_t r = 0U; r < p->tile_h; r++) {
        for (size_t i = x; i < (x + p->tile_w); i++) {
            *outs = ((r > 0U) || (i < p->out_w)) ? &row[i * p->out_c] : &spare[i * p->out_c];
            outs = &outs[1];
        }
        row = &spare[r * spare_bytes(p)];
    }
}

/* Row r of some tiles from `spare` to its place: what is there, and where what waits goes. */
static void settle(const mplan_winograd_s8_dsp_t *p, int8_t **outs, int8_t *const *end, size_t r,
                   const int8_t *spare, int8_t *row)
{
    const size_t n = p->tile_w;
    const int8_t *const from = &spare[(r - 1U) * spare_bytes(p)];

    (void)memcpy(row, from, (size_t)(outs[r * n] - from));
    for (; outs < end; outs = &outs[p->tile_h * n]) {
        for (size_t i = r * n; i < ((r + 1U) * n); i++) {
            const size_t at = (size_t)(outs[i] - from);

            if (at < ((size_t)p->out_w * p->out_c)) {
                outs[i] = &row[at];
            }
        }
    }
}

/*
 * One row of tiles, of which there may be fewer rows than they have. Returns how many tiles wait.
 *
 * Row 1 may lie on input that row 0 reads: as long as tiles are to come, rows but the first go to
 * `spare`, as do pixels that nobody wants. Tiles that wait write to their places: all is read.
 */
static size_t row_of_tiles(const mplan_winograd_s8_dsp_t *p, mplan_tiles_t *job, const int8_t *in,
                           int8_t *out, int8_t *spare, size_t y, size_t rows, size_t waiting)
{
    const size_t pixels = (size_t)p->tile_h * p->tile_w;
    const int8_t *lines[MPLAN_MOST_LINES];
    int8_t **const outs = (int8_t **)(void *)&job[1];
    int8_t *const row0 = &out[mplan_row(&p->out_rows, y)];
    size_t count = waiting;
    size_t first = waiting; /* of these rows */

    find_lines(p, in, lines, y, rows);
    for (size_t x = 0U; x < p->out_w; x += p->tile_w) {
        if (count == MPLAN_TILES_LANES) {
            flush(p, job, outs, count);
            count = 0U;
            first = 0U;
        }
        find_tile(p, job, lines, (int8_t *)job->sums, (int32_t)x - (int32_t)p->pad_left);
        transform(p, job, count);
        find_outs(p, &outs[count * pixels], row0, spare, x);
        count++;
    }
    for (size_t r = 1U; r < rows; r++) {
        settle(p, &outs[first * pixels], &outs[count * pixels], r, spare,
               &out[mplan_row(&p->out_rows, y + r)]);
    }
    return count;
}

MPLAN_KERNEL void mplan_winograd_s8_dsp(const mplan_winograd_s8_dsp_t *p, const int8_t *in,
                                        int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    mplan_tiles_t *const job = (mplan_tiles_t *)(void *)scratch;
    const size_t pixels = (size_t)p->tile_h * p->tile_w;
    const size_t positions = side_of(p->tile_h) * side_of(p->tile_w);
    const size_t steps = (size_t)p->in_c / 2U;
    const size_t filled = MPLAN_TILES_UNROLL - 1U - ((steps + 6U) % MPLAN_TILES_UNROLL);
    const size_t copied = positions * p->in_c;
    const size_t summed = positions * MPLAN_TILES_LANES * 2U * sizeof(int32_t);
    const size_t apart = positions * MPLAN_TILES_LANES * sizeof(uint32_t); /* of the steps */
    int8_t *const inputs = &scratch[sizeof *job + (MPLAN_TILES_LANES * pixels * sizeof(int8_t *))];
    int8_t *const sums = &inputs[(steps * apart) + ((pixels == 16U) ? MPLAN_TILES4_WORK : 0U)];
    int8_t *const spare = &sums[(copied > summed) ? copied : summed];
    size_t waiting = 0U;

    job->packed = p->packed;
    job->end = &p->packed[((size_t)p->out_c / 2U) * p->block];
    job->inputs = (uint32_t *)(void *)inputs;
    job->sums = (int32_t *)(void *)sums;
    job->skip = (uint32_t)(filled * (size_t)MPLAN_TILES_STEP_BYTES);
    job->back = (1 - (int32_t)filled) * (int32_t)apart;
    job->stop = (const uint32_t *)(const void *)&inputs[steps * apart];
    job->zero_point = p->out_zero_point;
    job->apart = p->in_c;
    for (size_t y = y0; y < y1; y += p->tile_h) {
        const size_t rows = ((y1 - y) < p->tile_h) ? (y1 - y) : p->tile_h;

        waiting = row_of_tiles(p, job, in, out, spare, y, rows, waiting);
    }
    flush(p, job, (int8_t **)(void *)&job[1], waiting);
    for (size_t y = y0; ((p->act_min > -128) || (p->act_max < 127)) && (y < y1); y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < ((size_t)p->out_w * p->out_c); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}
