/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_avg_pool2d_s8_mve.h"

#include "mplan_averages.h"

#define BLOCK (8U)    /* channels summed side by side: int16 of a vector */
#define PIXELS (255U) /* whose sums int16 holds */

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

static int8_t pool_result(const mplan_avg_pool2d_s8_mve_t *p, int32_t sum, int32_t count)
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

/* Add eight int16 to eight sums. */
static void add_sums(int32_t *sum, int16x8_t part)
{
    int16_t parts[BLOCK];

    vstrhq_s16(parts, part);
    vstrwq_s32(sum, vaddq_s32(vldrwq_s32(sum), vldrhq_s32(parts)));
    vstrwq_s32(&sum[4], vaddq_s32(vldrwq_s32(&sum[4]), vldrhq_s32(&parts[4])));
}

/* Add to the sums of up to eight channels all pixels of a window. */
static void sum_pixels(const mplan_avg_pool2d_s8_mve_t *p, const int8_t *in, mplan_averaged_t rows,
                       mplan_averaged_t columns, size_t c, size_t channels, int32_t *sum)
{
    const size_t first = ((size_t)columns.first * p->channels) + c;
    const uint32_t width = (uint32_t)(columns.end - columns.first);
    const mve_pred16_t lanes = vctp16q((uint32_t)channels);
    const size_t apart = p->channels;
    int16x8_t part = vdupq_n_s16(0);
    uint32_t left = PIXELS;

    for (int32_t y = rows.first; y < rows.end; y++) {
        const int8_t *pixel = &in[mplan_row(&p->in_rows, (size_t)y) + first];
        uint32_t x = width;

        while (x > 0U) {
            const uint32_t run = (x < left) ? x : left;

            for (uint32_t i = run; i > 0U; i--) {
                part = vaddq_s16(part, vldrbq_z_s16(pixel, lanes));
                pixel = &pixel[apart];
            }
            x -= run;
            left -= run;
            if (left == 0U) {
                add_sums(sum, part);
                part = vdupq_n_s16(0);
                left = PIXELS;
            }
        }
    }
    add_sums(sum, part);
}

/* `channels` channels from c on of one output pixel. */
static void pool_block(const mplan_avg_pool2d_s8_mve_t *p, const int8_t *in, int8_t *out,
                       mplan_averaged_t rows, mplan_averaged_t columns, size_t c, size_t channels)
{
    const int32_t elements = (rows.end - rows.first) * (columns.end - columns.first);
    const int32_t count = (p->divide != 0U) ? (rows.count * columns.count) : 1;
    int32_t sum[BLOCK];

    for (size_t i = 0U; i < BLOCK; i++) {
        sum[i] = -elements * (int32_t)p->in_zero_point;
    }
    sum_pixels(p, in, rows, columns, c, channels, sum);
    for (size_t i = 0U; i < channels; i++) {
        out[c + i] = pool_result(p, sum[i], count);
    }
}

MPLAN_KERNEL
void mplan_avg_pool2d_s8_mve(const mplan_avg_pool2d_s8_mve_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        const mplan_averaged_t rows =
            mplan_averaged(y_first, p->kernel_h, p->in_h, p->counted_top, p->counted_bottom);
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->out_w; x++) {
            const int32_t x_first = ((int32_t)x * (int32_t)p->stride_w) - (int32_t)p->pad_left;
            const mplan_averaged_t columns =
                mplan_averaged(x_first, p->kernel_w, p->in_w, p->counted_left, p->counted_right);

            for (size_t c = 0U; c < p->channels; c += BLOCK) {
                const size_t left = (size_t)p->channels - c;
                const size_t channels = (left < BLOCK) ? left : BLOCK;

                pool_block(p, in, &to[x * p->channels], rows, columns, c, channels);
            }
        }
    }
}
