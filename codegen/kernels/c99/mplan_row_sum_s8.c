/* SPDX-License-Identifier: 0BSD */
#include "mplan_row_sum_s8.h"

#include <string.h>

#define FOUR (4U)     /* channels: the bytes of a word */
#define PIXELS (256U)  /* whose bytes 16 bits sum */
#define OFFSET (128)  /* of a byte whose sign is flipped */

/* Adds to the sum of a channel, which may begin at any address. */
static void add_to(int8_t *to, int32_t value)
{
    int32_t sum;

    (void)memcpy(&sum, to, sizeof sum);
    sum += value;
    (void)memcpy(to, &sum, sizeof sum);
}

/* Adds at most PIXELS pixels of four channels, two of which lie in a word of 16-bit sums. */
static void add_fours(const mplan_row_sum_s8_t *p, const int8_t *pixel, size_t pixels, int8_t *sums)
{
    const int32_t zero = (int32_t)pixels * ((int32_t)p->in_zero_point + OFFSET);
    uint32_t even = 0U;
    uint32_t odd = 0U;

    for (size_t x = pixels; x > 0U; x--) {
        uint32_t word;

        (void)memcpy(&word, pixel, sizeof word);
        word ^= 0x80808080U;
        even += word & 0x00FF00FFU;
        odd += (word >> 8) & 0x00FF00FFU;
        pixel = &pixel[p->channels];
    }
    add_to(&sums[0], (int32_t)(even & 0xFFFFU) - zero);
    add_to(&sums[4], (int32_t)(odd & 0xFFFFU) - zero);
    add_to(&sums[8], (int32_t)(even >> 16) - zero);
    add_to(&sums[12], (int32_t)(odd >> 16) - zero);
}

/* Adds a row's pixels to the sums. */
static void add_row(const mplan_row_sum_s8_t *p, const int8_t *row, int8_t *sums)
{
    const size_t whole = (size_t)p->channels - ((size_t)p->channels % FOUR);

    for (size_t c = 0U; c < whole; c += FOUR) {
        size_t count = 0U;

        for (size_t x = 0U; x < p->in_w; x += count) {
            count = (size_t)p->in_w - x;
            if (count > PIXELS) {
                count = PIXELS;
            }
            add_fours(p, &row[(x * p->channels) + c], count, &sums[c * sizeof(int32_t)]);
        }
    }
    for (size_t c = whole; c < p->channels; c++) {
        const int8_t *pixel = &row[c];
        int32_t sum = -(int32_t)p->in_w * (int32_t)p->in_zero_point;

        for (size_t x = 0U; x < p->in_w; x++) {
            sum += (int32_t)*pixel;
            pixel = &pixel[p->channels];
        }
        add_to(&sums[c * sizeof sum], sum);
    }
}

MPLAN_KERNEL
void mplan_row_sum_s8(const mplan_row_sum_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    int8_t *const sums = &out[mplan_row(&p->out_rows, 0U)];
    const int32_t start = p->in_zero_point;

    if (y0 == 0U) {
        for (size_t c = 0U; c < p->channels; c++) {
            (void)memcpy(&sums[c * sizeof start], &start, sizeof start);
        }
    }
    for (size_t y = y0; y < y1; y++) {
        add_row(p, &in[mplan_row(&p->in_rows, y)], sums);
    }
}
