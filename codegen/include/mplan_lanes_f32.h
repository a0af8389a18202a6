/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_lanes_f32.h - steps of a function of one float32, for MPLAN_LANES elements at a time. They
 * work on a stack of lanes, of which the top one is x; `a` are the constants of a step.
 */
#ifndef MPLAN_LANES_F32_H
#define MPLAN_LANES_F32_H

#include "mplan_math_f32.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_LANES (8U)      /* elements that a step takes at once */
#define MPLAN_LANES_DEPTH (8U) /* lanes on the stack, at most */

/* y is the lane below x; steps of two lanes take both away and leave their result. */
enum {
    MPLAN_STEP_COPY = 0, /* x once more */
    MPLAN_STEP_SWAP,     /* x and y */
    MPLAN_STEP_ADD,      /* y + x */
    MPLAN_STEP_SUB,      /* y - x */
    MPLAN_STEP_MUL,      /* y * x */
    MPLAN_STEP_DIV,      /* y / x */
    MPLAN_STEP_MAX,      /* x where it is above y, else y */
    MPLAN_STEP_MIN,      /* x where it is below y, else y */
    MPLAN_STEP_SELECT,   /* of three lanes: y where the lowest is above 0, else x */
    MPLAN_STEP_SCALE,    /* x * a[0] */
    MPLAN_STEP_OFFSET,   /* x + a[0] */
    MPLAN_STEP_CLIP,     /* x within [a[0], a[1]] */
    MPLAN_STEP_LEAKY,    /* below 0 x * a[0] */
    MPLAN_STEP_ABOVE,    /* 0 where x is not above a[0] */
    MPLAN_STEP_GRID,     /* x / a[0] + a[1] rounded, within [a[2], a[3]], and back */
    MPLAN_STEP_ABS,
    MPLAN_STEP_NEG,
    MPLAN_STEP_SIGN,
    MPLAN_STEP_RECIPROCAL,
    MPLAN_STEP_SQRT,
    MPLAN_STEP_FLOOR,
    MPLAN_STEP_CEIL,
    MPLAN_STEP_ROUND,
    MPLAN_STEP_EQUAL, /* 1 where x and a[0] compare so, else 0; so are the next four */
    MPLAN_STEP_GREATER,
    MPLAN_STEP_GREATER_EQUAL,
    MPLAN_STEP_LESS,
    MPLAN_STEP_LESS_EQUAL,
    MPLAN_STEP_EXP, /* from here on steps of mplan_chain_gates_f32 */
    MPLAN_STEP_EXPM1,
    MPLAN_STEP_LOG,
    MPLAN_STEP_LOG1P,
    MPLAN_STEP_TANH,
    MPLAN_STEP_SIGMOID,
    MPLAN_STEP_SOFTPLUS,
    MPLAN_STEP_ERF,
    MPLAN_STEP_SIN, /* from here on steps of mplan_chain_functions_f32 */
    MPLAN_STEP_COS,
    MPLAN_STEP_TAN,
    MPLAN_STEP_ASIN,
    MPLAN_STEP_ACOS,
    MPLAN_STEP_ATAN,
    MPLAN_STEP_SINH,
    MPLAN_STEP_COSH,
    MPLAN_STEP_ASINH,
    MPLAN_STEP_ACOSH,
    MPLAN_STEP_ATANH,
    MPLAN_STEP_POW,     /* x to the power of a[0] */
    MPLAN_STEP_POWER_OF /* a[0] to the power of x */
};

/* x[i] becomes a value, for every element. */
#define MPLAN_EACH(value)                \
    for (size_t i = 0U; i < n; i++) {    \
        x[i] = (value);                  \
    }                                    \
    break

static inline float mplan_on_grid_f32(float x, const float *a)
{
    float q = mplan_clamp_f32(mplan_rint_f32(x / a[0]) + a[1], a[2], a[3]);

    q = (q >= a[2]) ? q : a[1]; /* no number is 0 */
    return (q - a[1]) * a[0];
}

/** A step of lanes upon each other: the new top. */
static inline float *mplan_lanes_join_f32(float *top, size_t n, uint32_t step)
{
    float *const x = (step == MPLAN_STEP_COPY) ? &top[MPLAN_LANES] : (top - MPLAN_LANES);
    float *result = x;

    switch (step) {
    case MPLAN_STEP_COPY:
        MPLAN_EACH(top[i]);
    case MPLAN_STEP_ADD:
        MPLAN_EACH(x[i] + top[i]);
    case MPLAN_STEP_SUB:
        MPLAN_EACH(x[i] - top[i]);
    case MPLAN_STEP_MUL:
        MPLAN_EACH(x[i] * top[i]);
    case MPLAN_STEP_DIV:
        MPLAN_EACH(x[i] / top[i]);
    case MPLAN_STEP_MAX:
        MPLAN_EACH((x[i] < top[i]) ? top[i] : x[i]);
    case MPLAN_STEP_MIN:
        MPLAN_EACH((x[i] > top[i]) ? top[i] : x[i]);
    case MPLAN_STEP_SELECT:
        result = x - MPLAN_LANES;
        for (size_t i = 0U; i < n; i++) {
            result[i] = (result[i] > 0.0f) ? x[i] : top[i];
        }
        break;
    default: /* MPLAN_STEP_SWAP */
        result = top;
        for (size_t i = 0U; i < n; i++) {
            const float value = x[i];

            x[i] = top[i];
            top[i] = value;
        }
        break;
    }
    return result;
}

/** A step in arithmetic; the new top. */
static inline float *mplan_lanes_step_f32(float *x, size_t n, uint32_t step, const float *a)
{
    float *result = x;

    switch (step) {
    case MPLAN_STEP_SCALE:
        MPLAN_EACH(x[i] * a[0]);
    case MPLAN_STEP_OFFSET:
        MPLAN_EACH(x[i] + a[0]);
    case MPLAN_STEP_CLIP:
        MPLAN_EACH(mplan_clamp_f32(x[i], a[0], a[1]));
    case MPLAN_STEP_LEAKY:
        MPLAN_EACH((x[i] < 0.0f) ? (x[i] * a[0]) : x[i]);
    case MPLAN_STEP_ABOVE:
        MPLAN_EACH((x[i] > a[0]) ? x[i] : 0.0f);
    case MPLAN_STEP_GRID:
        MPLAN_EACH(mplan_on_grid_f32(x[i], a));
    case MPLAN_STEP_ABS:
        MPLAN_EACH(mplan_abs_f32(x[i]));
    case MPLAN_STEP_NEG:
        MPLAN_EACH(-x[i]);
    case MPLAN_STEP_SIGN:
        MPLAN_EACH((x[i] > 0.0f) ? 1.0f : ((x[i] < 0.0f) ? -1.0f : x[i]));
    case MPLAN_STEP_RECIPROCAL:
        MPLAN_EACH(1.0f / x[i]);
    case MPLAN_STEP_SQRT:
        MPLAN_EACH(mplan_sqrt_f32(x[i]));
    case MPLAN_STEP_FLOOR:
        MPLAN_EACH(mplan_floor_f32(x[i]));
    case MPLAN_STEP_CEIL:
        MPLAN_EACH(mplan_ceil_f32(x[i]));
    case MPLAN_STEP_ROUND:
        MPLAN_EACH(mplan_rint_f32(x[i]));
    case MPLAN_STEP_EQUAL:
        MPLAN_EACH(((x[i] >= a[0]) && (x[i] <= a[0])) ? 1.0f : 0.0f);
    case MPLAN_STEP_GREATER:
        MPLAN_EACH((x[i] > a[0]) ? 1.0f : 0.0f);
    case MPLAN_STEP_GREATER_EQUAL:
        MPLAN_EACH((x[i] >= a[0]) ? 1.0f : 0.0f);
    case MPLAN_STEP_LESS:
        MPLAN_EACH((x[i] < a[0]) ? 1.0f : 0.0f);
    case MPLAN_STEP_LESS_EQUAL:
        MPLAN_EACH((x[i] <= a[0]) ? 1.0f : 0.0f);
    default:
        result = mplan_lanes_join_f32(x, n, step);
        break;
    }
    return result;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_LANES_F32_H */
