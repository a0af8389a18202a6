/* SPDX-License-Identifier: 0BSD */
#include "mplan_conv2d_f32_fpu.h"

#include "mplan_sums_f32_fpu.h"

MPLAN_STATIC_ASSERT(mplan_conv2d_limits_are_a_pair,
                    offsetof(mplan_conv2d_f32_fpu_t, act_max) ==
                        (offsetof(mplan_conv2d_f32_fpu_t, act_min) + sizeof(float)));

/* Part of a window that lies inside the input. */
typedef struct {
    mplan_run_f32_t run; /* its columns are one run of each row */
    size_t y;            /* its first row */
    size_t before;       /* inputs that have weights in front of its rows */
    size_t first;        /* in front of the part */
} window_t;

/* Rows of a window inside the input; columns come with each pixel. */
static window_t rows_at(const mplan_conv2d_f32_fpu_t *p, int32_t y_first)
{
    const int32_t kernel = (int32_t)p->kernel_h;
    const int32_t step = (int32_t)p->dilation_h;
    int32_t low = 0;
    int32_t high = kernel;
    window_t window;

    while ((low < kernel) && ((y_first + (low * step)) < 0)) {
        low++;
    }
    while ((high > low) && ((y_first + ((high - 1) * step)) >= (int32_t)p->in_h)) {
        high--;
    }
    window.y = (size_t)(y_first + (low * step));
    window.before = (size_t)low * p->kernel_w * p->in_c;
    window.first = window.before;
    window.run.in = NULL;
    window.run.lines = (size_t)(high - low);
    window.run.stride = (size_t)p->in_rows.stride * p->dilation_h;
    window.run.count = 0U;
    window.run.skipped = 0U;
    window.run.finite = mplan_finite_f32(&p->act_min);
    return window;
}

/* Columns of a window inside a row, of the rows that it has; `in` is where the first row begins. */
static void set_columns(const mplan_conv2d_f32_fpu_t *p, window_t *window, const int8_t *in,
                        int32_t x_first)
{
    const int32_t kernel = (int32_t)p->kernel_w;
    const int32_t low = mplan_clamp(-x_first, 0, kernel);
    const int32_t high = mplan_clamp((int32_t)p->in_w - x_first, low, kernel);

    window->run.in = (high > low) ? &in[(size_t)(x_first + low) * p->in_c * sizeof(float)] : in;
    window->run.count = (size_t)(high - low) * p->in_c;
    window->run.skipped = ((size_t)p->kernel_w * p->in_c) - window->run.count;
    window->first = window->before + ((size_t)low * p->in_c);
}

/*
 * All channels of a pixel: the bias, or what other rows made of it, and a run; limited at the end.
 * `before`: inputs that have weights in front of the run.
 */
static void add_run(const mplan_conv2d_f32_fpu_t *p, const mplan_run_f32_t *run, size_t before,
                    const float *start, float *out, const float *limits)
{
    const size_t filter = (size_t)p->kernel_h * p->kernel_w * p->in_c;
    const size_t outputs = p->out_c;
    size_t width;

    for (size_t oc = 0U; oc < outputs; oc += width) {
        const size_t left = outputs - oc;
        const float *from = &start[oc];
        float *to = &out[oc];
        float few[8];

        width = mplan_width_f32(left);
        if (left < width) {
            (void)memcpy(few, from, left * sizeof *few);
            from = few;
            to = few;
        }
        mplan_sum_f32(run, &p->weights[(oc * filter) + (before * width)], width, from, to, limits);
        if (left < width) {
            (void)memcpy(&out[oc], few, left * sizeof *few);
        }
    }
}

/* One output pixel; rows that a table tells of are runs of their own. */
static void conv_pixel(const mplan_conv2d_f32_fpu_t *p, window_t *window, float *out)
{
    mplan_run_f32_t *const run = &window->run;
    const size_t lines = run->lines;

    if ((p->in_rows.table == NULL) || (lines < 2U)) {
        add_run(p, run, window->first, p->bias, out, &p->act_min);
    } else {
        const size_t line = run->count + run->skipped;
        const int8_t *const in = &run->in[-(ptrdiff_t)mplan_row(&p->in_rows, window->y)];

        run->lines = 1U;
        for (size_t i = 0U; i < lines; i++) {
            run->in = &in[mplan_row(&p->in_rows, window->y + (i * p->dilation_h))];
            add_run(p, run, window->first + (i * line), (i == 0U) ? p->bias : out, out,
                    ((i + 1U) == lines) ? &p->act_min : NULL);
        }
        run->lines = lines;
    }
}

MPLAN_KERNEL
void mplan_conv2d_f32_fpu(const mplan_conv2d_f32_fpu_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int32_t y_first = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
        window_t window = rows_at(p, y_first);
        const int8_t *first = in;
        float *to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];
        int32_t x_first = -(int32_t)p->pad_left;

        if (window.run.lines != 0U) {
            first = &in[mplan_row(&p->in_rows, window.y)];
        }
        for (size_t x = 0U; x < p->out_w; x++) {
            set_columns(p, &window, first, x_first);
            conv_pixel(p, &window, to);
            to = &to[p->out_c];
            x_first += (int32_t)p->stride_w;
        }
    }
}
