/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_conv3d_s8_dsp.h"
#include "mplan_windows.h"

/* Two output channels that share their inputs; the second may be the first again. */
typedef struct {
    const int8_t *w0;
    const int8_t *w1;
    int32_t acc0;
    int32_t acc1;
    int32_t in_zero_point;
} pair_t;

/* Four bytes as they lie. */
static inline uint32_t word(const int8_t *from)
{
    uint32_t value;

    (void)memcpy(&value, from, sizeof value);
    return value;
}

/* Bytes 0 and 2, or 1 and 3, extended, onto the halves of a word. */
static inline uint32_t even(uint32_t onto, uint32_t bytes)
{
    uint32_t result;

    __asm("sxtab16 %0, %1, %2" : "=r"(result) : "r"(onto), "r"(bytes));
    return result;
}

static inline uint32_t odd(uint32_t onto, uint32_t bytes)
{
    uint32_t result;

    __asm("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(onto), "r"(bytes));
    return result;
}

/* acc and both products of halves; a sum that the generator has proved wraps nowhere. */
static inline int32_t dual(uint32_t a, uint32_t b, int32_t acc)
{
    int32_t result;

    __asm("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(acc));
    return result;
}

/* Sums over `count` consecutive inputs and weights, four at a time, then one by one. */
static void add_run(pair_t *pair, const int8_t *in, size_t at, size_t count)
{
    const int8_t *const w0 = &pair->w0[at];
    const int8_t *const w1 = &pair->w1[at];
    const int32_t zero_point = pair->in_zero_point;
    const uint32_t less = ((uint32_t)-zero_point & 0xFFFFU) | ((uint32_t)-zero_point << 16);
    int32_t acc0 = pair->acc0;
    int32_t acc1 = pair->acc1;
    size_t i = 0U;

    for (; (i + 4U) <= count; i += 4U) {
        const uint32_t four = word(&in[i]);
        const uint32_t four0 = word(&w0[i]);
        const uint32_t four1 = word(&w1[i]);
        const uint32_t first = even(less, four);
        const uint32_t second = odd(less, four);

        acc0 = dual(first, even(0U, four0), acc0);
        acc1 = dual(first, even(0U, four1), acc1);
        acc0 = dual(second, odd(0U, four0), acc0);
        acc1 = dual(second, odd(0U, four1), acc1);
    }
    for (; i < count; i++) {
        const int32_t value = (int32_t)in[i] - zero_point;

        acc0 += value * (int32_t)w0[i];
        acc1 += value * (int32_t)w1[i];
    }
    pair->acc0 = acc0;
    pair->acc1 = acc1;
}

/* The taps of one line of the window: weights from `at` on, inputs of a group's channels. */
static void add_line(const mplan_conv3d_s8_dsp_t *p, pair_t *pair, const int8_t *line, size_t at,
                     const mplan_taps_t *taps)
{
    const size_t group_c = (size_t)p->in_c / p->groups;
    size_t from = taps->index * p->in_c;
    size_t weight = at + (taps->tap * group_c);

    if ((taps->tap_step == 1U) && (taps->index_step == 1U) && (p->groups == 1U)) {
        add_run(pair, &line[from], weight, taps->count * group_c);
    } else {
        for (size_t k = 0U; k < taps->count; k++) {
            add_run(pair, &line[from], weight, group_c);
            from += taps->index_step * p->in_c;
            weight += taps->tap_step * group_c;
        }
    }
}

/* The taps of all lines. */
static void add_window(const mplan_conv3d_s8_dsp_t *p, const int8_t *in, pair_t *pair,
                       const mplan_taps_t taps[3], size_t first_c)
{
    const size_t line_size = (size_t)p->in_w * p->in_c;
    const size_t weights = ((size_t)p->in_c / p->groups) * p->kernel_w; /* of a line */

    for (size_t d = 0U; (d < taps[0].count) && (taps[2].count > 0U); d++) {
        const size_t y = taps[0].index + (d * taps[0].index_step);
        const int8_t *const row = &in[mplan_row(&p->in_rows, y)];
        const size_t plane = (taps[0].tap + (d * taps[0].tap_step)) * p->kernel_h;

        for (size_t h = 0U; h < taps[1].count; h++) {
            const size_t line = taps[1].index + (h * taps[1].index_step);
            const size_t tap = plane + taps[1].tap + (h * taps[1].tap_step);

            add_line(p, pair, &row[(line * line_size) + first_c], tap * weights, &taps[2]);
        }
    }
}

static int8_t result(const mplan_conv3d_s8_dsp_t *p, int32_t acc, size_t oc)
{
    const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[oc] : 0U;
    const int32_t scaled = mplan_scale(acc, p->multiplier[oc], pre_shift);

    return (int8_t)mplan_clamp(scaled + p->out_zero_point, p->act_min, p->act_max);
}

/* One output pixel, all channels. */
static void conv_pixel(const mplan_conv3d_s8_dsp_t *p, const int8_t *in, int8_t *out,
                       const mplan_taps_t taps[3])
{
    const size_t group_in = (size_t)p->in_c / p->groups;
    const size_t group_out = (size_t)p->out_c / p->groups;
    const size_t filter = (size_t)p->kernel_d * p->kernel_h * p->kernel_w * group_in;
    size_t oc = 0U;

    while (oc < p->out_c) {
        const size_t group = oc / group_out;
        const size_t next = ((oc + 1U) < ((group + 1U) * group_out)) ? (oc + 1U) : oc;
        pair_t pair;

        pair.w0 = &p->weights[oc * filter];
        pair.w1 = &p->weights[next * filter];
        pair.acc0 = p->bias[oc];
        pair.acc1 = p->bias[next];
        pair.in_zero_point = (int32_t)p->in_zero_point;
        add_window(p, in, &pair, taps, group * group_in);
        out[oc] = result(p, pair.acc0, oc);
        if (next != oc) {
            out[next] = result(p, pair.acc1, next);
        }
        oc = next + 1U;
    }
}

MPLAN_KERNEL
void mplan_conv3d_s8_dsp(const mplan_conv3d_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t place_d = ((int32_t)y * (int32_t)p->stride_d) - p->pad_d;
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        mplan_taps_t taps[3];

        taps[0] = mplan_taps_of(place_d, p->dilation_d, p->kernel_d, p->in_d, p->up_d, p->step_d);
        for (size_t h = 0U; h < p->out_h; h++) {
            const int32_t place_h = ((int32_t)h * (int32_t)p->stride_h) - p->pad_h;

            taps[1] =
                mplan_taps_of(place_h, p->dilation_h, p->kernel_h, p->in_h, p->up_h, p->step_h);
            for (size_t w = 0U; w < p->out_w; w++) {
                const int32_t place_w = ((int32_t)w * (int32_t)p->stride_w) - p->pad_w;

                taps[2] =
                    mplan_taps_of(place_w, p->dilation_w, p->kernel_w, p->in_w, p->up_w, p->step_w);
                conv_pixel(p, in, to, taps);
                to = &to[p->out_c];
            }
        }
    }
}
