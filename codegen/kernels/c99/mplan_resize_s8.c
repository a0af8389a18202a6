/* SPDX-License-Identifier: 0BSD */
#include "mplan_resize_s8.h"

#define BLOCK (8U) /* channels side by side */

/* Where one output lies: the first element along each axis, and its weights. */
typedef struct {
    size_t first[3];
    const int16_t *weights[3];
} place_t;

/* The weighted sum of the taps along w, times a weight, more for each of some channels. */
static void add_line(const mplan_resize_s8_t *p, const int8_t *line, const int16_t *weights,
                     int32_t weight, int64_t *sums, size_t channels)
{
    int32_t part[BLOCK] = {0};

    for (size_t t = 0U; t < p->taps_w; t++) {
        const int8_t *const pixel = &line[t * p->channels];
        const int32_t by = (int32_t)weights[t];

        for (size_t i = 0U; i < channels; i++) {
            part[i] += by * ((int32_t)pixel[i] - (int32_t)p->in_zero_point);
        }
    }
    for (size_t i = 0U; i < channels; i++) {
        sums[i] += (int64_t)weight * (int64_t)part[i];
    }
}

/* `channels` channels from c on of one output pixel. */
static void resize_block(const mplan_resize_s8_t *p, const int8_t *in, int8_t *out,
                         const place_t *place, size_t c, size_t channels)
{
    int64_t sums[BLOCK];

    for (size_t i = 0U; i < channels; i++) {
        sums[i] = ((int64_t)1 << p->shift) >> 1; /* rounds halves up */
    }
    for (size_t d = 0U; d < p->taps_d; d++) {
        for (size_t h = 0U; h < p->taps_h; h++) {
            const int32_t weight = (int32_t)place->weights[0][d] * (int32_t)place->weights[1][h];

            if (weight != 0) {
                const int8_t *const row = &in[mplan_row(&p->in_rows, place->first[0] + d)];
                const size_t pixel = ((place->first[1] + h) * p->in_w) + place->first[2];

                add_line(p, &row[(pixel * p->channels) + c], place->weights[2], weight, sums,
                         channels);
            }
        }
    }
    for (size_t i = 0U; i < channels; i++) {
        const int32_t result = (int32_t)(sums[i] >> p->shift);

        out[c + i] = (int8_t)mplan_clamp(result + p->out_zero_point, -128, 127);
    }
}

static void resize_pixel(const mplan_resize_s8_t *p, const int8_t *in, int8_t *out,
                         const place_t *place)
{
    const int beyond = ((place->first[0] == MPLAN_RESIZE_S8_OUTSIDE) ||
                        (place->first[1] == MPLAN_RESIZE_S8_OUTSIDE) ||
                        (place->first[2] == MPLAN_RESIZE_S8_OUTSIDE))
                           ? 1
                           : 0;

    if (beyond != 0) {
        for (size_t c = 0U; c < p->channels; c++) {
            out[c] = p->outside;
        }
    } else {
        for (size_t c = 0U; c < p->channels; c += BLOCK) {
            const size_t left = (size_t)p->channels - c;

            resize_block(p, in, out, place, c, (left < BLOCK) ? left : BLOCK);
        }
    }
}

MPLAN_KERNEL
void mplan_resize_s8(const mplan_resize_s8_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        place_t place;

        place.first[0] = p->first_d[y];
        place.weights[0] = &p->weights_d[y * p->taps_d];
        for (size_t h = 0U; h < p->out_h; h++) {
            place.first[1] = p->first_h[h];
            place.weights[1] = &p->weights_h[h * p->taps_h];
            for (size_t w = 0U; w < p->out_w; w++) {
                place.first[2] = p->first_w[w];
                place.weights[2] = &p->weights_w[w * p->taps_w];
                resize_pixel(p, in, to, &place);
                to = &to[p->channels];
            }
        }
    }
}
