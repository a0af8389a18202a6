/* SPDX-License-Identifier: 0BSD */
#include "mplan_chain_functions_f32.h"

#include "mplan_gates_f32.h"
#include "mplan_hyperbolic_f32.h"
#include "mplan_lanes_f32.h"
#include "mplan_pow_f32.h"
#include "mplan_trig_f32.h"

static float *function_step(float *x, size_t n, uint32_t step, const float *a)
{
    float *result = x;

    switch (step) {
    case MPLAN_STEP_EXP:
        MPLAN_EACH(mplan_exp_f32(x[i]));
    case MPLAN_STEP_EXPM1:
        MPLAN_EACH(mplan_expm1_f32(x[i]));
    case MPLAN_STEP_LOG:
        MPLAN_EACH(mplan_log_f32(x[i]));
    case MPLAN_STEP_LOG1P:
        MPLAN_EACH(mplan_log1p_f32(x[i]));
    case MPLAN_STEP_TANH:
        MPLAN_EACH(mplan_tanh_f32(x[i]));
    case MPLAN_STEP_SIGMOID:
        MPLAN_EACH(mplan_sigmoid_f32(x[i]));
    case MPLAN_STEP_SOFTPLUS:
        MPLAN_EACH(mplan_softplus_f32(x[i]));
    case MPLAN_STEP_ERF:
        MPLAN_EACH(mplan_erf_f32(x[i]));
    case MPLAN_STEP_SIN:
        MPLAN_EACH(mplan_sin_f32(x[i]));
    case MPLAN_STEP_COS:
        MPLAN_EACH(mplan_cos_f32(x[i]));
    case MPLAN_STEP_TAN:
        MPLAN_EACH(mplan_tan_f32(x[i]));
    case MPLAN_STEP_ASIN:
        MPLAN_EACH(mplan_asin_f32(x[i]));
    case MPLAN_STEP_ACOS:
        MPLAN_EACH(mplan_acos_f32(x[i]));
    case MPLAN_STEP_ATAN:
        MPLAN_EACH(mplan_atan_f32(x[i]));
    case MPLAN_STEP_SINH:
        MPLAN_EACH(mplan_sinh_f32(x[i]));
    case MPLAN_STEP_COSH:
        MPLAN_EACH(mplan_cosh_f32(x[i]));
    case MPLAN_STEP_ASINH:
        MPLAN_EACH(mplan_asinh_f32(x[i]));
    case MPLAN_STEP_ACOSH:
        MPLAN_EACH(mplan_acosh_f32(x[i]));
    case MPLAN_STEP_ATANH:
        MPLAN_EACH(mplan_atanh_f32(x[i]));
    case MPLAN_STEP_POW:
        MPLAN_EACH(mplan_pow_f32(x[i], a[0]));
    case MPLAN_STEP_POWER_OF:
        MPLAN_EACH(mplan_pow_f32(a[0], x[i]));
    default:
        result = mplan_lanes_step_f32(x, n, step, a);
        break;
    }
    return result;
}

/* All steps for the lowest lane. */
static void run(const mplan_chain_functions_f32_t *p, float *lanes, size_t n)
{
    float *top = lanes;

    for (size_t s = 0U; s < p->steps; s++) {
        const uint8_t *const at = &p->program[2U * s];

        top = function_step(top, n, at[0], &p->values[at[1]]);
    }
}

MPLAN_KERNEL
void mplan_chain_functions_f32(const mplan_chain_functions_f32_t *p, const int8_t *in, int8_t *out,
                               size_t y0, size_t y1)
{
    float lanes[MPLAN_LANES_DEPTH * MPLAN_LANES];

    for (size_t y = y0; y < y1; y++) {
        const float *const from = (const float *)(const void *)&in[mplan_row(&p->in_rows, y)];
        float *const to = (float *)(void *)&out[mplan_row(&p->out_rows, y)];

        for (size_t x = 0U; x < p->row_elements; x += MPLAN_LANES) {
            const size_t left = p->row_elements - x;
            const size_t n = (left < MPLAN_LANES) ? left : MPLAN_LANES;

            (void)memcpy(lanes, &from[x], n * sizeof lanes[0]);
            run(p, lanes, n);
            (void)memcpy(&to[x], lanes, n * sizeof lanes[0]);
        }
    }
}
