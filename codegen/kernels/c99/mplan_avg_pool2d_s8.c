/* SPDX-License-Identifier: 0BSD */
#include "mplan_avg_pool2d_s8.h"

#include "mplan_averages.h"

#define BLOCK (8U) /* channels summed side by side */

/* sum / count, halves to even. */
static int32_t divided(int32_t sum, int32_t count)
{
    const uint32_t magnitude = (sum < 0) ? (0U - (uint32_t)sum) : (uint32_t)sum;
    const uint32_t divisor = (uint32_t)count;
    const uint32_t whole = magnitude / divisor;
    const uint32_t twice = 2U * (magnitude - (whole * divisor));
    const uint32_t up =
        ((twice > divisor) || ((twice == divisor) && ((whole & 1U) != 0U))) ? 1U : 0U;
    const uint32_t rounded = whole + up;
    const int32_t result = (int32_t)rounded;

    return (sum < 0) ? -result : result;
}

static int8_t pool_result(const mplan_avg_pool2d_s8_t *p, int32_t sum, int32_t count)
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

/* `channels` channels from c on of one output pixel. */
static void pool_block(const mplan_avg_pool2d_s8_t *p, const int8_t *in, int8_t *out,
                       mplan_averaged_t rows, mplan_averaged_t columns, size_t c, size_t channels)
{
    const int32_t elements = (rows.end - rows.first) * (columns.end - columns.first);
    const int32_t count = (p->divide != 0U) ? (rows.count * columns.count) : 1;
    int32_t sum[BLOCK];

    for (size_t i = 0U; i < channels; i++) {
        sum[i] = -elements * (int32_t)p->in_zero_point;
    }
    for (int32_t y = rows.first; y < rows.end; y++) {
        const int8_t *const row = &in[mplan_row(&p->in_rows, (size_t)y)];

        for (int32_t x = columns.first; x < columns.end; x++) {
            const int8_t *const pixel = &row[((size_t)x * p->channels) + c];

            for (size_t i = 0U; i < channels; i++) {
                sum[i] += (int32_t)pixel[i];
            }
        }
    }
    for (size_t i = 0U; i < channels; i++) {
        out[c + i] = pool_result(p, sum[i], count);
    }
}

MPLAN_KERNEL
void mplan_avg_pool2d_s8(const mplan_avg_pool2d_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
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
