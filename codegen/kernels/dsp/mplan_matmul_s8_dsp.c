/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_lines_s8_dsp.h"
#include "mplan_matmul_s8_dsp.h"

#define IN 1 /* rows and bytes of an operand within a loop */
#define IN2 3

/* An element of an operand: its row, and its byte there. */
typedef struct {
    size_t row;
    size_t byte;
} place_t;

/* What a call works with. */
typedef struct {
    const mplan_matmul_s8_dsp_t *p;
    const int8_t *in;
    const int8_t *in2;
    uint32_t *lines;  /* widened: two for each matrix product of a row */
    uint32_t *packed; /* matrices of in2 */
    size_t count;     /* matrix products of a row: rounds of the three outer loops */
    size_t lines_words;
    size_t matrix_words;
    mplan_lines_t job;
} work_t;

static place_t moved(place_t from, const int32_t *loop, size_t operand, size_t rounds)
{
    place_t to = from;

    to.row += rounds * (size_t)loop[operand];
    to.byte += rounds * (size_t)loop[operand + 1U];
    return to;
}

static size_t fours_of(const mplan_matmul_s8_dsp_t *p)
{
    return ((size_t)p->loops[20] + 3U) / 4U;
}

static uint32_t by_columns(const mplan_matmul_s8_dsp_t *p)
{
    return ((p->loops[20 + IN2] != 0) || (p->loops[20 + IN2 + 1] != 1)) ? 1U : 0U;
}

/* A line in steps from the zero point, two words of four that two lines share; its sum. */
static int32_t widen(const mplan_matmul_s8_dsp_t *p, const int8_t *from, uint32_t *to)
{
    const uint32_t lowered = (uint32_t)(uint16_t)(-(int32_t)p->in_zero_point) * 0x00010001U;
    const uint32_t turned = by_columns(p);
    const size_t rest = (size_t)p->loops[20] % 4U;
    const int8_t *const end = &from[(size_t)p->loops[20] - rest];
    int32_t sum = 0;

    while (from != end) {
        sum = mplan_widen_four(lowered, turned, mplan_word_at(from), to, sum);
        from = &from[4];
        to = &to[4];
    }
    if (rest > 0U) {
        uint32_t bytes = (uint32_t)(uint8_t)p->in_zero_point * 0x01010101U;

        (void)memcpy(&bytes, from, rest);
        sum = mplan_widen_four(lowered, turned, bytes, to, sum);
    }
    return sum;
}

/* Two columns in which what is summed over lies byte by byte: four bytes of each in turn. */
static void pack_pair(const mplan_matmul_s8_dsp_t *p, const int8_t *from0, const int8_t *from1,
                      uint32_t *to)
{
    const size_t depth = (size_t)p->loops[20];
    const size_t whole = depth & ~(size_t)3U;

    for (size_t k = 0U; k < whole; k += 4U) {
        to[0] = mplan_word_at(&from0[k]);
        to[1] = mplan_word_at(&from1[k]);
        to = &to[2];
    }
    if (whole < depth) {
        to[0] = 0U;
        to[1] = 0U;
        (void)memcpy(&to[0], &from0[whole], depth - whole);
        (void)memcpy(&to[1], &from1[whole], depth - whole);
    }
}

static const int8_t *at(const work_t *w, place_t b)
{
    return &w->in2[mplan_row(&w->p->in2_rows, b.row) + b.byte];
}

/* A matrix of in2, two columns after two; the last two where their number is odd. */
static void pack(const work_t *w, place_t b, uint32_t *to)
{
    const int32_t *const loop = &w->p->loops[15];
    const int32_t *const depth = &w->p->loops[20];
    const size_t columns = (size_t)loop[0];
    const size_t fours = fours_of(w->p);

    if (by_columns(w->p) == 0U) {
        for (size_t c = 0U; c < columns; c += 2U) {
            const size_t first = ((columns - c) > 1U) ? c : (columns - 2U);

            pack_pair(w->p, at(w, moved(b, loop, IN2, first)),
                      at(w, moved(b, loop, IN2, first + 1U)), &to[c * fours]);
        }
        return;
    }
    for (size_t k = 0U; k < fours; k++) {
        const int8_t *rows[4];

        for (size_t i = 0U; i < 4U; i++) { /* beyond the end lines are 0 */
            const size_t row = (4U * k) + i;
            const size_t last = (size_t)depth[0] - 1U;

            rows[i] = at(w, moved(b, depth, IN2, (row < last) ? row : last));
        }
        for (size_t c = 0U; (c + 1U) < columns; c += 2U) {
            mplan_pack_four(rows, c, &to[(c * fours) + (2U * k)]);
        }
        if ((columns % 2U) != 0U) {
            mplan_pack_four(rows, columns - 2U, &to[((columns - 1U) * fours) + (2U * k)]);
        }
    }
}

static void run(work_t *w, const uint32_t *from, size_t pairs)
{
    const size_t fours = fours_of(w->p);

    w->job.entry = (uint32_t)(((0U - fours) % MPLAN_LINES_UNROLL) * MPLAN_LINES_STEP_BYTES);
    w->job.end = &from[pairs * 2U * fours];
    mplan_two_lines(from, &w->job);
}

/* Two lines times a packed matrix. */
static void multiply(work_t *w, const uint32_t *lines, const int32_t *sums, const uint32_t *packed,
                     int8_t *const *outs)
{
    const mplan_matmul_s8_dsp_t *const p = w->p;
    const size_t columns = (size_t)p->loops[15];

    w->job.lines = lines;
    w->job.lines_end = &lines[w->lines_words];
    w->job.start0 = -sums[0] * p->in2_zero_point;
    w->job.start1 = -sums[1] * p->in2_zero_point;
    w->job.out0 = outs[0];
    w->job.out1 = outs[1];
    run(w, packed, columns / 2U);
    if ((columns % 2U) != 0U) {
        w->job.out0 = &outs[0][columns - 2U];
        w->job.out1 = &outs[1][columns - 2U];
        run(w, &packed[(columns - 1U) * fours_of(p)], 1U);
    }
    if ((p->act_min > -128) || (p->act_max < 127)) {
        for (size_t c = 0U; c < columns; c++) {
            outs[0][c] = (int8_t)mplan_clamp(outs[0][c], p->act_min, p->act_max);
            outs[1][c] = (int8_t)mplan_clamp(outs[1][c], p->act_min, p->act_max);
        }
    }
}

/* The operand of a matrix product, which three loops number, of an output row. */
static place_t place_of(const work_t *w, size_t operand, size_t y, size_t number)
{
    const int32_t *const loops = w->p->loops;
    const size_t inner = (size_t)loops[10];
    const size_t middle = (size_t)loops[5];
    const place_t start = {0U, 0U};
    place_t found = moved(start, &loops[25], operand, y);

    if (number > 0U) {
        found = moved(found, &loops[0], operand, number / (inner * middle));
        found = moved(found, &loops[5], operand, (number / inner) % middle);
        found = moved(found, &loops[10], operand, number % inner);
    }
    return found;
}

/* Whether a product has the matrix of the one before it. */
static uint32_t shares(const work_t *w, size_t y, size_t number)
{
    const place_t b = place_of(w, IN2, y, number);
    const place_t before = place_of(w, IN2, y, (number > 0U) ? (number - 1U) : 0U);

    return ((number > 0U) && (b.row == before.row) && (b.byte == before.byte)) ? 1U : 0U;
}

static void pack_all(const work_t *w, size_t y)
{
    uint32_t *to = w->packed;

    for (size_t n = 0U; n < w->count; n++) {
        if (shares(w, y, n) == 0U) {
            pack(w, place_of(w, IN2, y, n), to);
            to = &to[w->matrix_words];
        }
    }
}

/* A line of `in`, as one of two; its sum. */
static int32_t read_line(const work_t *w, size_t y, size_t number, uint32_t *to)
{
    const place_t a = place_of(w, IN, y, number);

    return widen(w->p, &w->in[mplan_row(&w->p->in_rows, a.row) + a.byte], to);
}

/* One output row, each line twice, its matrices packed one after the other. */
static void one_row(work_t *w, size_t y, int8_t *row)
{
    int8_t *outs[2] = {row, row};

    for (size_t n = 0U; n < w->count; n++) {
        int32_t sums[2];

        if (shares(w, y, n) == 0U) {
            pack(w, place_of(w, IN2, y, n), w->packed);
        }
        sums[0] = read_line(w, y, n, w->lines);
        sums[1] = read_line(w, y, n, &w->lines[2]);
        multiply(w, w->lines, sums, w->packed, outs);
        outs[0] = &outs[0][w->p->loops[15]];
        outs[1] = outs[0];
    }
}

/* Two output rows, or one twice: all that they read is widened before the first byte is written. */
static void two_rows(work_t *w, size_t y, size_t y2, int8_t *row, int8_t *row2)
{
    const uint32_t *packed = w->packed;
    uint32_t *lines = w->lines;
    int8_t *outs[2] = {row, row2};

    for (size_t n = 0U; n < w->count; n++) {
        for (size_t i = 0U; i < 2U; i++) {
            lines[w->lines_words + i] =
                (uint32_t)read_line(w, (i == 0U) ? y : y2, n, &lines[2U * i]);
        }
        lines = &lines[w->lines_words + 2U];
    }
    lines = w->lines;
    for (size_t n = 0U; n < w->count; n++) {
        const uint32_t *const last = &lines[w->lines_words];
        const int32_t sums[2] = {(int32_t)last[0], (int32_t)last[1]};

        if ((n > 0U) && (shares(w, y, n) == 0U)) {
            packed = &packed[w->matrix_words];
        }
        multiply(w, lines, sums, packed, outs);
        outs[0] = &outs[0][w->p->loops[15]];
        outs[1] = &outs[1][w->p->loops[15]];
        lines = &lines[w->lines_words + 2U];
    }
}

MPLAN_KERNEL
void mplan_matmul_s8_dsp(const mplan_matmul_s8_dsp_t *p, const int8_t *in, const int8_t *in2,
                         int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    work_t w;

    w.p = p;
    w.in = in;
    w.in2 = in2;
    w.count = (size_t)p->loops[0] * (size_t)p->loops[5] * (size_t)p->loops[10];
    w.lines_words = 4U * fours_of(p);
    w.matrix_words = (((size_t)p->loops[15] + 1U) / 2U) * 2U * fours_of(p);
    w.lines = (uint32_t *)(void *)scratch;
    w.packed = &w.lines[((p->by_rows != 0U) ? w.lines_words : (w.count * (w.lines_words + 2U)))];
    w.job.multiplier = p->multiplier;
    w.job.zero_point = p->out_zero_point;
    w.job.pre_shift = p->pre_shift;
    if (p->by_rows == 0U) {
        pack_all(&w, y0);
    }
    for (size_t y = y0; y < y1; y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        if (p->by_rows != 0U) {
            one_row(&w, y, row);
        } else {
            const size_t y2 = ((y + 1U) < y1) ? (y + 1U) : y;

            two_rows(&w, y, y2, row, &out[mplan_row(&p->out_rows, y2)]);
            y = y2;
        }
    }
}
