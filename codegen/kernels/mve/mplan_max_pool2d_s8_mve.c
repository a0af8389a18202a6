/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_max_pool2d_s8_mve.h"

#define LANES (16U)

/* Taps [first, end) of a window that lie in the input, along one axis. */
typedef struct {
    size_t first; /* element of the input */
    size_t count;
} taps_t;

static taps_t taps_inside(int32_t at, uint32_t kernel, uint32_t dilation, uint32_t size)
{
    int32_t from = at;
    taps_t taps = {0U, 0U};

    for (uint32_t k = 0U; k < kernel; k++) {
        if ((from >= 0) && (from < (int32_t)size)) {
            taps.first = (taps.count == 0U) ? (size_t)from : taps.first;
            taps.count++;
        }
        from += (int32_t)dilation;
    }
    return taps;
}

/* One output pixel. */
static void pool_pixel(const mplan_max_pool2d_s8_mve_t *p, const int8_t *in, int8_t *out,
                       taps_t down, taps_t across)
{
    const size_t apart = (size_t)p->dilation_w * p->channels;

    for (size_t c = 0U; c < p->channels; c += LANES) {
        const mve_pred16_t lanes = vctp8q((uint32_t)p->channels - (uint32_t)c);
        int8x16_t largest = vdupq_n_s8(-128);
        size_t y = down.first;

        for (size_t ky = down.count; ky > 0U; ky--) {
            const int8_t *from =
                &in[mplan_row(&p->in_rows, y) + (across.first * p->channels) + c];

            for (size_t kx = across.count; kx > 0U; kx--) {
                largest = vmaxq_s8(largest, vldrbq_z_s8(from, lanes));
                from = &from[apart];
            }
            y += p->dilation_h;
        }
        vstrbq_p_s8(&out[c], largest, lanes);
    }
}

MPLAN_KERNEL
void mplan_max_pool2d_s8_mve(const mplan_max_pool2d_s8_mve_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        const taps_t down = taps_inside(y_first, p->kernel_h, p->dilation_h, p->in_h);
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        int32_t x_first = -(int32_t)p->pad_left;

        for (size_t x = p->out_w; x > 0U; x--) {
            pool_pixel(p, in, to, down, taps_inside(x_first, p->kernel_w, p->dilation_w, p->in_w));
            x_first += (int32_t)p->stride_w;
            to = &to[p->channels];
        }
    }
}
