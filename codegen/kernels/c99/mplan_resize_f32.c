/* SPDX-License-Identifier: 0BSD */
#include "mplan_resize_f32.h"

#define BLOCK (8U) /* channels side by side */

/* Where one output lies: the first element along each axis, and its weights. */
typedef struct {
    size_t first[3];
    const float *weights[3];
} place_t;

/* The weighted sum of the taps along w, times a weight, more for each of some channels. */
static void add_line(const mplan_resize_f32_t *p, const float *line, const float *weights,
                     float weight, float *sums, size_t channels)
{
    float part[BLOCK] = {0.0f};

    for (size_t t = 0U; t < p->taps_w; t++) {
        const float *const pixel = &line[t * p->channels];
        const float by = weights[t];

        for (size_t i = 0U; i < channels; i++) {
            part[i] += by * pixel[i];
        }
    }
    for (size_t i = 0U; i < channels; i++) {
        sums[i] += weight * part[i];
    }
}

/* `channels` channels from c on of one output pixel. */
static void resize_block(const mplan_resize_f32_t *p, const int8_t *in, float *out,
                         const place_t *place, size_t c, size_t channels)
{
    float sums[BLOCK] = {0.0f};

    for (size_t d = 0U; d < p->taps_d; d++) {
        for (size_t h = 0U; h < p->taps_h; h++) {
            const float weight = place->weights[0][d] * place->weights[1][h];

            if ((weight > 0.0f) || (weight < 0.0f)) {
                const int8_t *const at = &in[mplan_row(&p->in_rows, place->first[0] + d)];
                const float *const row = (const float *)(const void *)at;
                const size_t pixel = ((place->first[1] + h) * p->in_w) + place->first[2];

                add_line(p, &row[(pixel * p->channels) + c], place->weights[2], weight, sums,
                         channels);
            }
        }
    }
    for (size_t i = 0U; i < channels; i++) {
        out[c + i] = sums[i];
    }
}

static void resize_pixel(const mplan_resize_f32_t *p, const int8_t *in, float *out,
                         const place_t *place)
{
    const int beyond = ((place->first[0] == MPLAN_RESIZE_F32_OUTSIDE) ||
                        (place->first[1] == MPLAN_RESIZE_F32_OUTSIDE) ||
                        (place->first[2] == MPLAN_RESIZE_F32_OUTSIDE))
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
void mplan_resize_f32(const mplan_resize_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        float *to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];
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
