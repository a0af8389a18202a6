/* SPDX-License-Identifier: 0BSD */
#include "mplan_reduce_f32.h"

#include "mplan_math_f32.h"

/* An element as it is summed. */
static float term_of(uint32_t what, float x)
{
    float term = x;

    if (what == MPLAN_REDUCE_L1) {
        term = mplan_abs_f32(x);
    } else if (what >= MPLAN_REDUCE_L2) {
        term = x * x;
    } else {
        /* itself */
    }
    return term;
}

static float joined(uint32_t what, float x, float y)
{
    switch (what) {
    case MPLAN_REDUCE_MAX:
        return ((x > y) || (x != x)) ? x : y;
    case MPLAN_REDUCE_MIN:
        return ((x < y) || (x != x)) ? x : y;
    case MPLAN_REDUCE_PROD:
        return x * y;
    default:
        return x + y;
    }
}

/* What a result is before the first element. */
static float start_of(uint32_t what)
{
    switch (what) {
    case MPLAN_REDUCE_MAX:
        return mplan_of_bits_f32(0xFF800000U);
    case MPLAN_REDUCE_MIN:
        return mplan_of_bits_f32(0x7F800000U);
    case MPLAN_REDUCE_PROD:
        return 1.0f;
    default:
        return 0.0f;
    }
}

/* The output whose elements begin at one of each row, from row y on. */
static float reduced(const mplan_reduce_f32_t *p, const int8_t *in, size_t y, size_t start)
{
    const uint32_t *const loops = &p->loops[MPLAN_REDUCE_LOOPS];
    float result = start_of(p->what);

    for (size_t r = 0U; r < p->rows; r++) {
        const float *const from =
            &((const float *)(const void *)&in[mplan_row(&p->in_rows, y + r)])[start];

        for (size_t a = 0U; a < loops[0]; a++) {
            for (size_t b = 0U; b < loops[2]; b++) {
                const float *const at = &from[(a * loops[1]) + (b * loops[3])];

                for (size_t c = 0U; c < loops[4]; c++) {
                    const float term = term_of(p->what, at[c * loops[5]]);

                    result = joined(p->what, result, term);
                }
            }
        }
    }
    if (p->what == MPLAN_REDUCE_MEAN) {
        result /= p->count;
    }
    if (p->what == MPLAN_REDUCE_L2) {
        result = mplan_sqrt_f32(result);
    }
    return result;
}

MPLAN_KERNEL
void mplan_reduce_f32(const mplan_reduce_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    const size_t outputs = mplan_reduce_outputs(p->loops);

    for (size_t y = y0; y < y1; y++) {
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < outputs; i++) {
            to[i] = reduced(p, in, y, mplan_reduce_place(p->loops, i));
        }
    }
}
