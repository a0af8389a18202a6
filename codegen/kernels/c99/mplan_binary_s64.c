/* SPDX-License-Identifier: 0BSD */
#include "mplan_binary_s64.h"

#include "mplan_relations.h"

/* Towards 0. The quotient of the least number by -1 is none: its low bits are it again. */
static int64_t quotient(int64_t x, int64_t y)
{
    int64_t result = 0;

    if (y == -1) {
        result = (int64_t)(0U - (uint64_t)x);
    } else if (y != 0) {
        result = x / y;
    } else {
        /* 0 */
    }
    return result;
}

static int64_t remainder_of(int64_t x, int64_t y)
{
    return ((y == 0) || (y == -1)) ? 0 : (x % y);
}

static int64_t modulo(int64_t x, int64_t y)
{
    const int64_t rest = remainder_of(x, y);

    return ((rest != 0) && ((rest < 0) != (y < 0))) ? (rest + y) : rest;
}

static int64_t power(int64_t x, int64_t y)
{
    uint64_t base = (uint64_t)x;
    uint64_t result = 1U;

    if (y < 0) {
        if ((x != 1) && (x != -1)) {
            result = 0U;
        } else {
            result = ((x < 0) && ((y % 2) != 0)) ? base : 1U;
        }
    }
    for (int64_t left = y; left > 0; left /= 2) {
        if ((left % 2) != 0) {
            result *= base;
        }
        base *= base;
    }
    return (int64_t)result;
}

static int64_t is_related(uint32_t relations, int64_t x, int64_t y)
{
    const uint32_t order = (x > y) ? MPLAN_GREATER : MPLAN_LESS;
    const uint32_t relation = (x == y) ? MPLAN_EQUAL : order;

    return ((relation & relations) != 0U) ? 1 : 0;
}

static int64_t result_of(const mplan_binary_s64_t *p, int64_t x, int64_t y)
{
    switch (p->what) {
    case MPLAN_S64_ADD:
        return (int64_t)((uint64_t)x + (uint64_t)y);
    case MPLAN_S64_SUB:
        return (int64_t)((uint64_t)x - (uint64_t)y);
    case MPLAN_S64_MUL:
        return (int64_t)((uint64_t)x * (uint64_t)y);
    case MPLAN_S64_DIV:
        return quotient(x, y);
    case MPLAN_S64_MAX:
        return (x > y) ? x : y;
    case MPLAN_S64_MIN:
        return (x < y) ? x : y;
    case MPLAN_S64_REST:
        return remainder_of(x, y);
    case MPLAN_S64_MOD:
        return modulo(x, y);
    case MPLAN_S64_POW:
        return power(x, y);
    case MPLAN_S64_AND:
        return (int64_t)((uint64_t)x & (uint64_t)y);
    case MPLAN_S64_OR:
        return (int64_t)((uint64_t)x | (uint64_t)y);
    case MPLAN_S64_XOR:
        return (int64_t)((uint64_t)x ^ (uint64_t)y);
    default:
        return is_related(p->relations, x, y);
    }
}

static void run(const mplan_binary_s64_t *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const size_t bytes = MPLAN_INTEGER_BYTES(p->in_kind);
    const size_t out_bytes = MPLAN_INTEGER_BYTES(p->out_kind);

    for (size_t i = 0U; i < p->inner; i++) {
        const int64_t x = mplan_take_integer(&a[i * p->in_inner * bytes], p->in_kind);
        const int64_t y = mplan_take_integer(&b[i * p->in2_inner * bytes], p->in_kind);

        mplan_put_integer(&out[i * out_bytes], p->out_kind, result_of(p, x, y));
    }
}

MPLAN_KERNEL
void mplan_binary_s64(const mplan_binary_s64_t *p, const int8_t *in, const int8_t *in2,
                      int8_t *out, size_t y0, size_t y1)
{
    const size_t bytes = MPLAN_INTEGER_BYTES(p->in_kind);

    for (size_t y = y0; y < y1; y++) {
        const int8_t *const a = &in[mplan_row(&p->in_rows, y * p->in_moves)];
        const int8_t *const b = &in2[mplan_row(&p->in2_rows, y * p->in2_moves)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < p->outer; i++) {
            for (size_t j = 0U; j < p->middle; j++) {
                run(p, &a[((i * p->in_outer) + (j * p->in_middle)) * bytes],
                    &b[((i * p->in2_outer) + (j * p->in2_middle)) * bytes], to);
                to = &to[p->inner * MPLAN_INTEGER_BYTES(p->out_kind)];
            }
        }
    }
}
