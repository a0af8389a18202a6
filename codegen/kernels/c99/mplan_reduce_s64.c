/* SPDX-License-Identifier: 0BSD */
#include "mplan_reduce_s64.h"

/* An element as it is summed. */
static int64_t term_of(uint32_t what, int64_t x)
{
    uint64_t term = (uint64_t)x;

    if ((what == MPLAN_REDUCE_L1) && (x < 0)) {
        term = 0U - term;
    }
    if (what == MPLAN_REDUCE_SUM_SQUARE) {
        term *= term;
    }
    return (int64_t)term;
}

static int64_t joined(uint32_t what, int64_t x, int64_t y)
{
    switch (what) {
    case MPLAN_REDUCE_MAX:
        return (x > y) ? x : y;
    case MPLAN_REDUCE_MIN:
        return (x < y) ? x : y;
    case MPLAN_REDUCE_PROD:
        return (int64_t)((uint64_t)x * (uint64_t)y);
    default:
        return (int64_t)((uint64_t)x + (uint64_t)y);
    }
}

/* What a result is before the first element. */
static int64_t start_of(uint32_t what)
{
    switch (what) {
    case MPLAN_REDUCE_MAX:
        return INT64_MIN;
    case MPLAN_REDUCE_MIN:
        return INT64_MAX;
    case MPLAN_REDUCE_PROD:
        return 1;
    default:
        return 0;
    }
}

/* The output whose elements begin at one of each row, from row y on. */
static int64_t reduced(const mplan_reduce_s64_t *p, const int8_t *in, size_t y, size_t start)
{
    const uint32_t *const loops = &p->loops[MPLAN_REDUCE_LOOPS];
    const size_t bytes = MPLAN_INTEGER_BYTES(p->kind);
    int64_t result = start_of(p->what);

    for (size_t r = 0U; r < p->rows; r++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y + r) + (start * bytes)];

        for (size_t a = 0U; a < loops[0]; a++) {
            for (size_t b = 0U; b < loops[2]; b++) {
                const int8_t *const at = &from[((a * loops[1]) + (b * loops[3])) * bytes];

                for (size_t c = 0U; c < loops[4]; c++) {
                    const int8_t *const one = &at[c * loops[5] * bytes];
                    const int64_t term = term_of(p->what, mplan_take_integer(one, p->kind));

                    result = joined(p->what, result, term);
                }
            }
        }
    }
    return (p->what == MPLAN_REDUCE_MEAN) ? (result / (int64_t)p->count) : result;
}

MPLAN_KERNEL
void mplan_reduce_s64(const mplan_reduce_s64_t *p, const int8_t *in, int8_t *out, size_t y0,
                      size_t y1)
{
    const size_t outputs = mplan_reduce_outputs(p->loops);
    const size_t bytes = MPLAN_INTEGER_BYTES(p->kind);

    for (size_t y = y0; y < y1; y++) {
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < outputs; i++) {
            const int64_t result = reduced(p, in, y, mplan_reduce_place(p->loops, i));

            mplan_put_integer(&to[i * bytes], p->kind, result);
        }
    }
}
