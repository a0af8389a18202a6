/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_avg_pool2d_s8_dsp.h"

#include "mplan_average_fours_dsp.h"
#include "mplan_averages.h"

#define BLOCK (4U)    /* channels summed side by side: the bytes of a word */
#define PIXELS (255U) /* whose sums int16 holds */

/* Counts whose reciprocals have 32 bits, and are near enough to divide any sum of PIXELS. Of fewer
 * elements than LEAST_COUNT the sum is taken several times, as that of more. */
#define LEAST_COUNT (3U)
#define REPEATED_COUNT (4U)
#define MOST_COUNT (1024U)

/* sum / count, halves to even: the nearest, halves up, less one where that made a half odd. */
static int32_t divided(int32_t sum, int32_t count)
{
    const int32_t twice = (2 * sum) + count;
    int32_t up = twice / (2 * count);
    int32_t rest = twice - (up * 2 * count);

    if (rest < 0) {
        up--;
        rest += 2 * count;
    }
    if (rest == 0) {
        up &= ~1;
    }
    return up;
}

static int8_t finished(const mplan_avg_pool2d_s8_dsp_t *p, int32_t sum, int32_t count)
{
    int32_t result;

    if (p->multiplier == NULL) {
        result = divided(sum, count);
    } else {
        const size_t i = (size_t)count - p->first_count;

        result = mplan_scale(sum, p->multiplier[i], p->pre_shift[i]);
    }
    return (int8_t)mplan_clamp(result + p->out_zero_point, -128, 127);
}

/* Add bytes 0 and 2 of a word to two int16, bytes 1 and 3 to two more. */
static void add_word(uint32_t *even, uint32_t *odd, uint32_t word)
{
    __asm("sxtab16 %0, %0, %1" : "+r"(*even) : "r"(word));
    __asm("sxtab16 %0, %0, %1, ror #8" : "+r"(*odd) : "r"(word));
}

static void add_halves(int32_t *sum, uint32_t even, uint32_t odd)
{
    sum[0] += (int16_t)(even & 0xFFFFU);
    sum[1] += (int16_t)(odd & 0xFFFFU);
    sum[2] += (int16_t)(even >> 16);
    sum[3] += (int16_t)(odd >> 16);
}

/* Add to the sums of four channels all pixels of a window at most PIXELS wide. */
static void sum_words(const mplan_avg_pool2d_s8_dsp_t *p, const int8_t *in,
                      const mplan_averaged_t *rows, const mplan_averaged_t *columns, size_t c,
                      int32_t *sum)
{
    const size_t apart = p->channels;
    const size_t first = ((size_t)columns->first * apart) + c;
    const uint32_t width = (uint32_t)(columns->end - columns->first);
    uint32_t even = 0U;
    uint32_t odd = 0U;
    uint32_t left = PIXELS;

    for (int32_t y = rows->first; y < rows->end; y++) {
        const int8_t *pixel = &in[mplan_row(&p->in_rows, (size_t)y) + first];

        if (left < width) {
            add_halves(sum, even, odd);
            even = 0U;
            odd = 0U;
            left = PIXELS;
        }
        left -= width;
        for (uint32_t x = width; x > 0U; x--) {
            uint32_t word;

            (void)memcpy(&word, pixel, sizeof word); /* any address: one load */
            pixel = &pixel[apart];
            add_word(&even, &odd, word);
        }
    }
    add_halves(sum, even, odd);
}

/* Add to the sums of `channels` channels all pixels of a window. */
static void sum_bytes(const mplan_avg_pool2d_s8_dsp_t *p, const int8_t *in,
                      const mplan_averaged_t *rows, const mplan_averaged_t *columns, size_t c,
                      size_t channels, int32_t *sum)
{
    for (int32_t y = rows->first; y < rows->end; y++) {
        const int8_t *const row = &in[mplan_row(&p->in_rows, (size_t)y)];

        for (int32_t x = columns->first; x < columns->end; x++) {
            const int8_t *const pixel = &row[((size_t)x * p->channels) + c];

            for (size_t i = 0U; i < channels; i++) {
                sum[i] += (int32_t)pixel[i];
            }
        }
    }
}

/* `channels` channels from c on of one output pixel. */
static MPLAN_APART void pool_block(const mplan_avg_pool2d_s8_dsp_t *p, const int8_t *in,
                                   int8_t *out, const mplan_averaged_t *rows,
                                   const mplan_averaged_t *columns, size_t c, size_t channels)
{
    const int32_t elements = (rows->end - rows->first) * (columns->end - columns->first);
    const int32_t count = (p->divide != 0U) ? (rows->count * columns->count) : 1;
    int32_t sum[BLOCK];

    for (size_t i = 0U; i < BLOCK; i++) {
        sum[i] = -elements * (int32_t)p->in_zero_point;
    }
    if ((channels == BLOCK) && ((columns->end - columns->first) <= (int32_t)PIXELS)) {
        sum_words(p, in, rows, columns, c, sum);
    } else {
        sum_bytes(p, in, rows, columns, c, channels, sum);
    }
    for (size_t i = 0U; i < channels; i++) {
        out[c + i] = finished(p, sum[i], count);
    }
}

/* The factors of a count; whether those of 32 bits are exact. */
static MPLAN_APART int has_factors(const mplan_avg_pool2d_s8_dsp_t *p, mplan_fours_t *job,
                                   uint32_t count)
{
    int exact = 0;

    if (p->multiplier != NULL) {
        job->most = p->multiplier[count - p->first_count];
        job->least = job->most;
        exact = (p->pre_shift[count - p->first_count] == 0U) ? 1 : 0;
    } else if (count <= MOST_COUNT) {
        const uint32_t divisor = (count < LEAST_COUNT) ? REPEATED_COUNT : count;
        const uint32_t halves = 1U - (divisor % 2U);

        job->least = (int32_t)((0xFFFFFFFFU / divisor) + 1U - halves);
        job->most = job->least + (int32_t)(2U * halves);
        exact = 1;
    } else {
        /* too many for factors of 32 bits */
    }
    return exact;
}

/* Whether the rows of a window lie equally far apart: `apart` bytes, which may wrap around. */
static MPLAN_APART int rows_apart(const mplan_avg_pool2d_s8_dsp_t *p, mplan_averaged_t rows,
                                  uint32_t *apart)
{
    int same = 1;

    *apart = 0U;
    for (int32_t y = rows.first + 1; y < rows.end; y++) {
        const uint32_t found = (uint32_t)(mplan_row(&p->in_rows, (size_t)y) -
                                          mplan_row(&p->in_rows, (size_t)y - 1U));

        same = ((same != 0) && ((y == (rows.first + 1)) || (found == *apart))) ? 1 : 0;
        *apart = found;
    }
    return same;
}

/* `pixels` windows of a row that are as large as the first, whose columns are given. */
static void pool_pixels(const mplan_avg_pool2d_s8_dsp_t *p, const int8_t *in, int8_t *out,
                        mplan_averaged_t rows, mplan_averaged_t columns, size_t pixels)
{
    const uint32_t height = (uint32_t)(rows.end - rows.first);
    const uint32_t width = (uint32_t)(columns.end - columns.first);
    const uint32_t count = (p->divide != 0U) ? (uint32_t)(rows.count * columns.count) : 1U;
    const uint32_t elements = height * width;
    uint32_t apart = 0U;
    size_t done = 0U;
    mplan_fours_t job;

    job.fours = (uint32_t)p->channels / BLOCK;
    if ((elements > 0U) && (elements <= PIXELS) && (job.fours > 0U) &&
        (has_factors(p, &job, count) != 0) && (rows_apart(p, rows, &apart) != 0)) {
        const uint32_t times = ((p->multiplier == NULL) && (count < LEAST_COUNT))
                                   ? (REPEATED_COUNT / count) /* of few elements */
                                   : 1U;

        done = (size_t)job.fours * BLOCK;
        job.start = -(int32_t)(times * elements) * (int32_t)p->in_zero_point;
        job.zero_point = p->out_zero_point;
        job.apart = (width > 1U) ? p->channels : apart;
        job.columns = (width > 1U) ? width : height;
        job.rows = (width > 1U) ? height : 1U;
        job.rest = apart - (job.columns * job.apart);
        if (job.rows == 1U) {
            job.rows = times;
            job.rest = 0U - (job.columns * job.apart);
        }
        job.pixels = (uint32_t)pixels;
        job.further = ((uint32_t)p->stride_w * p->channels) - (uint32_t)done;
        job.behind = (uint32_t)p->channels - (uint32_t)done;
        job.in = &in[mplan_row(&p->in_rows, (size_t)rows.first) +
                     ((size_t)columns.first * p->channels)];
        job.out = out;
        mplan_average_fours(&job);
    }
    for (size_t i = 0U; (i < pixels) && (done < p->channels); i++) {
        for (size_t c = done; c < p->channels; c += BLOCK) {
            const size_t left = (size_t)p->channels - c;

            pool_block(p, in, &out[i * p->channels], &rows, &columns, c,
                       (left < BLOCK) ? left : BLOCK);
        }
        columns.first += (int32_t)p->stride_w;
        columns.end += (int32_t)p->stride_w;
    }
}

MPLAN_KERNEL
void mplan_avg_pool2d_s8_dsp(const mplan_avg_pool2d_s8_dsp_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        const mplan_averaged_t rows =
            mplan_averaged(y_first, p->kernel_h, p->in_h, p->counted_top, p->counted_bottom);
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];
        size_t pixels = 1U;

        for (size_t x = 0U; x < p->out_w; x += pixels) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;
            const int32_t behind = (int32_t)p->in_w - (x_first + (int32_t)p->kernel_w);
            const mplan_averaged_t columns =
                mplan_averaged(x_first, p->kernel_w, p->in_w, p->counted_left, p->counted_right);

            pixels = 1U;
            if ((x_first >= 0) && (behind >= 0)) { /* so are those whose windows end inside */
                pixels += (size_t)behind / p->stride_w;
                if (pixels > (p->out_w - x)) {
                    pixels = p->out_w - x;
                }
            }
            pool_pixels(p, in, &to[x * p->channels], rows, columns, pixels);
        }
    }
}
