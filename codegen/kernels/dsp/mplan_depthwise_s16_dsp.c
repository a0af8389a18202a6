/* SPDX-License-Identifier: 0BSD */
#include "mplan_depthwise_s16_dsp.h"

#define MOST_ROWS (16U)

typedef mplan_depthwise_s16_dsp_t depthwise_t;

/* The taps of a pixel that lie in the input: [first, end) of each row; rows from the first one. */
typedef struct {
    const int16_t *rows[MOST_ROWS];
    const int16_t *weights; /* of the first tap */
    size_t row_count;
    size_t columns;
} taps_t;

static int32_t word_at(const int16_t *values)
{
    int32_t word;

    (void)memcpy(&word, values, sizeof word);
    return word;
}

/* First of `kernel` taps, `step` apart, inside [0, size) where tap 0 is at `place`; *end behind. */
static size_t inside(int32_t place, int32_t step, int32_t kernel, int32_t size, size_t *end)
{
    const int32_t low = (place < 0) ? ((step - 1 - place) / step) : 0;
    const int32_t high = (size > place) ? (((size - place) + step - 1) / step) : 0;
    const int32_t first = mplan_clamp(low, 0, kernel);

    *end = (size_t)mplan_clamp(high, first, kernel);
    return (size_t)first;
}

static void find(const depthwise_t *p, const int8_t *in, int32_t y_first, int32_t x_first,
                 taps_t *taps)
{
    const int32_t down = (int32_t)p->dilation_h;
    const int32_t right = (int32_t)p->dilation_w;
    size_t end;
    size_t column_end;
    const size_t row = inside(y_first, down, (int32_t)p->kernel_h, (int32_t)p->in_h, &end);
    const size_t column =
        inside(x_first, right, (int32_t)p->kernel_w, (int32_t)p->in_w, &column_end);
    const int32_t x = x_first + ((int32_t)column * right);

    taps->columns = column_end - column;
    taps->row_count = (taps->columns > 0U) ? (end - row) : 0U;
    taps->weights = p->weights;
    if (taps->row_count > 0U) {
        taps->weights = &p->weights[((row * p->kernel_w) + column) * p->out_c];
    }
    for (size_t k = 0U; k < taps->row_count; k++) {
        const size_t y = (size_t)(y_first + ((int32_t)(row + k) * down));
        const size_t place = mplan_row(&p->in_rows, y);

        taps->rows[k] = &((const int16_t *)(const void *)&in[place])[(size_t)x * p->in_c];
    }
}

/* Channels c and c + 1 of a pixel. */
static void two_channels(const depthwise_t *p, const taps_t *taps, size_t c, int16_t *out)
{
    const size_t step = (size_t)p->dilation_w * p->in_c;
    const size_t line = (size_t)p->kernel_w * p->out_c;
    int32_t acc0 = p->bias[c];
    int32_t acc1 = p->bias[c + 1U];
    int32_t sums[2];

    for (size_t k = 0U; k < taps->row_count; k++) {
        const int16_t *x = &taps->rows[k][c];
        const int16_t *w = &taps->weights[(k * line) + c];

        for (size_t i = 0U; i < taps->columns; i++) {
            const int32_t values = word_at(&x[i * step]);
            const int32_t weights = word_at(&w[i * p->out_c]);

            acc0 += (int32_t)(int16_t)values * (int32_t)(int16_t)weights;
            acc1 += (values >> 16) * (weights >> 16);
        }
    }
    sums[0] = acc0;
    sums[1] = acc1;
    for (size_t i = 0U; i < 2U; i++) {
        const uint32_t shift = (p->pre_shift != NULL) ? p->pre_shift[c + i] : 0U;
        const int32_t result =
            mplan_halves_result(sums[i], shift, p->multiplier[c + i], p->out_zero_point);

        out[c + i] = (int16_t)mplan_clamp(result, p->act_min, p->act_max);
    }
}

MPLAN_KERNEL
void mplan_depthwise_s16_dsp(const mplan_depthwise_s16_dsp_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        int16_t *const row = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;
            taps_t taps;

            find(p, in, y_first, x_first, &taps);
            for (size_t c = 0U; c < p->out_c; c += 2U) {
                two_channels(p, &taps, c, &row[x * p->out_c]);
            }
        }
    }
}
