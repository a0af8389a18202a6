/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_winograd_lines_dsp.h - what mplan_winograd_line_s8_dsp does, for weights of any type: the
 * kernel includes it behind mplan_line_tiles_dsp.h.
 */
#ifndef MPLAN_WINOGRAD_LINES_DSP_H
#define MPLAN_WINOGRAD_LINES_DSP_H

#include "mplan_line_tiles_dsp.h"
#include "mplan_winograd_line_s8_dsp.h"

#define LINES (3U)
#define SIDE (6U)
#define TILE (4U)
#define PASSES (3U)
#define REQUANT (8U) /* words of bias and multipliers */
#define MOST_LANES (2U)

/* Tiles that are made together. */
typedef struct {
    size_t lanes;
    const int8_t *pixels[MOST_LANES][LINES * SIDE];
    int8_t *outs[MOST_LANES * TILE];
    mplan_line_tiles_t job;
} tiles_t;

/* Two positions of lane n. */
static void transform(const tiles_t *t, size_t pass, size_t n, int8_t *inputs, uint32_t in_c)
{
    int8_t *const to = &inputs[n * sizeof(int32_t)];
    const int8_t *const *const pixels = t->pixels[n];

    if (t->lanes == 1U) {
        if (pass == 0U) {
            mplan_line1_sums(to, pixels, in_c);
        } else if (pass == 1U) {
            mplan_line1_differences(to, pixels, in_c);
        } else {
            mplan_line1_outer(to, pixels, in_c);
        }
    } else if (pass == 0U) {
        mplan_line2_sums(to, pixels, in_c);
    } else if (pass == 1U) {
        mplan_line2_differences(to, pixels, in_c);
    } else {
        mplan_line2_outer(to, pixels, in_c);
    }
}

static void multiply(const tiles_t *t)
{
    if (t->lanes == 1U) {
        mplan_line1_products(&t->job);
    } else {
        mplan_line2_products(&t->job);
    }
}

/* The input pixels of a tile from column x on; those outside are a pixel of padding. */
static void find_pixels(const mplan_winograd_line_s8_dsp_t *p, const int8_t **pixels,
                        const int8_t *const *lines, int32_t x)
{
    for (size_t i = 0U; i < LINES; i++) {
        const int8_t *const line = lines[i];
        const int32_t width = (line != NULL) ? (int32_t)p->in_w : 0;
        int32_t offset = x * (int32_t)p->in_c;

        for (int32_t at = x; at < (x + (int32_t)SIDE); at++) {
            *pixels = ((at >= 0) && (at < width)) ? &line[offset] : p->outside;
            pixels = &pixels[1];
            offset += (int32_t)p->in_c;
        }
    }
}

/* Where pixels of a tile go, the last one first: one beyond the row goes below the first. */
static void find_outs(const mplan_winograd_line_s8_dsp_t *p, int8_t **outs, int8_t *row, size_t x)
{
    for (size_t i = 0U; i < TILE; i++) {
        const size_t at = ((x + i) < p->out_w) ? (x + i) : x;

        outs[TILE - 1U - i] = &row[at * p->out_c];
    }
}

/* Output channels [first, first + part) of some tiles. */
static void make_part(const mplan_winograd_line_s8_dsp_t *p, tiles_t *t, size_t first,
                      int8_t *scratch)
{
    mplan_line_tiles_t *const job = &t->job;
    const size_t pass = MPLAN_LINE_PASS_WORDS(p->in_c);
    const size_t four = (PASSES * pass) + REQUANT;
    const int32_t *const packed = &p->packed[(first / TILE) * four];
    const size_t inputs = t->lanes * p->in_c * LINES * 4U; /* bytes */
    const size_t words = t->lanes * 16U;                   /* of the sums of four channels */
    int32_t *const sums = (int32_t *)(void *)&scratch[inputs + (2U * words)];

    job->inputs = scratch;
    job->stop = &scratch[inputs];
    job->next = (uint32_t)((four - pass) * sizeof(int32_t));
    job->fours = (uint32_t)p->part / TILE;
    job->outs = NULL;
    for (size_t i = 0U; i < PASSES; i++) {
        for (size_t n = 0U; n < t->lanes; n++) {
            transform(t, i, n, scratch, p->in_c);
        }
        job->packed = &packed[i * pass];
        job->sums = &sums[i * (words / 2U)];
        if (i == (PASSES - 1U)) { /* in front of the others, where a four is done */
            job->sums = (int32_t *)(void *)&scratch[inputs];
            job->next -= (uint32_t)(REQUANT * sizeof(int32_t));
            job->outs = t->outs;
            job->channel = (uint32_t)first;
        }
        multiply(t);
    }
}

/* One output row. */
static void make_row(const mplan_winograd_line_s8_dsp_t *p, tiles_t *t, const int8_t *in,
                     int8_t *row, size_t y, int8_t *scratch)
{
    const int8_t *lines[LINES];

    for (size_t i = 0U; i < LINES; i++) {
        const int32_t from = ((int32_t)y + (int32_t)i) - (int32_t)p->pad_top;

        lines[i] = NULL;
        if ((from >= 0) && (from < (int32_t)p->in_h)) {
            lines[i] = &in[mplan_row(&p->in_rows, (size_t)from)];
        }
    }
    for (size_t x = 0U; x < p->out_w; x += t->lanes * TILE) {
        t->lanes = ((p->out_w - x) > TILE) ? p->lanes : 1U;
        for (size_t n = 0U; n < t->lanes; n++) {
            const size_t at = x + (n * TILE);

            find_pixels(p, t->pixels[n], lines, (int32_t)at - (int32_t)p->pad_left);
            find_outs(p, &t->outs[n * TILE], row, at);
        }
        for (size_t first = 0U; first < p->out_c; first += p->part) {
            make_part(p, t, first, scratch);
        }
    }
}

/* Output rows [y0, y1). */
static void make_lines(const mplan_winograd_line_s8_dsp_t *p, const int8_t *in, int8_t *out,
                       size_t y0, size_t y1, int8_t *scratch)
{
    tiles_t tiles;

    tiles.job.zero_point = p->out_zero_point;
    for (size_t y = y0; y < y1; y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        make_row(p, &tiles, in, row, y, scratch);
        for (size_t i = 0U;
             ((p->act_min > -128) || (p->act_max < 127)) && (i < ((size_t)p->out_w * p->out_c));
             i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}

#endif /* MPLAN_WINOGRAD_LINES_DSP_H */
