/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_w4_dsp.h"
#include "mplan_one_patch_halves_dsp.h"

MPLAN_KERNEL
void mplan_dense_w4_dsp(const mplan_dense_w4_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    mplan_one_patch_t job;

    job.zero_point = p->out_zero_point;
    job.pre_shift = p->pre_shift;
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const from = &in[mplan_row(&p->in_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];
        const size_t count = (size_t)p->pixels * p->out_c;

        for (size_t x = 0U; x < p->pixels; x++) {
            job.in = &from[x * p->in_c];
            job.in_end = &job.in[p->in_c];
            mplan_one_patch(&job, p->packed, p->out_c, &to[x * p->out_c]);
        }
        for (size_t i = 0U; ((p->act_min > -128) || (p->act_max < 127)) && (i < count); i++) {
            to[i] = (int8_t)mplan_clamp(to[i], p->act_min, p->act_max);
        }
    }
}
