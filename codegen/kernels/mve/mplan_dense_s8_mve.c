/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_dense_s8_mve.h"

#define LANES (16U)
#define QUAD (4U) /* outputs computed together */
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* What `outputs` reads; the offsets stand in the assembly. */
typedef struct {
    const int8_t *in;      /*  0: one pixel */
    int8_t *out;           /*  4: of the first output */
    const int32_t *packed; /*  8: of the first output */
    uint32_t fours;        /* 12: outputs / 4, at least 1 */
    uint32_t steps;        /* 16: whole vectors of the input */
    uint32_t rest;         /* 20: inputs behind them */
    int32_t zero_point;    /* 24 */
    int32_t act_min;       /* 28 */
    int32_t act_max;       /* 32 */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, in, 0U) && MPLAN_AT(job_t, out, 4U) &&
                    MPLAN_AT(job_t, packed, 8U) && MPLAN_AT(job_t, fours, 12U) &&
                    MPLAN_AT(job_t, steps, 16U) && MPLAN_AT(job_t, rest, 20U) &&
                    MPLAN_AT(job_t, zero_point, 24U) && MPLAN_AT(job_t, act_min, 28U) &&
                    MPLAN_AT(job_t, act_max, 32U));

/* Sixteen inputs times the weights of four outputs. */
#define STEP                                                                                       \
    "vldrb.8 q1, [r1], #16; vmladava.s8 r0, q0, q1\n"                                              \
    "vldrb.8 q1, [r1], #16; vmladava.s8 r2, q0, q1\n"                                              \
    "vldrb.8 q1, [r1], #16; vmladava.s8 r4, q0, q1\n"                                              \
    "vldrb.8 q1, [r1], #16; vmladava.s8 r6, q0, q1\n"

/* Outputs of one pixel, four at a time. */
static NAKED void outputs(UNREAD const job_t *job)
{
    __asm volatile("push {r4-r9, r11, lr}\n"
                   "ldrd r5, r3, [r0]; ldrd r1, r11, [r0, #8]; ldrd r12, r8, [r0, #16]\n"
                   "ldr r7, [r0, #24]; ldrd r2, r4, [r0, #28]; vdup.32 q2, r2; vdup.32 q3, r4\n"
                   "1:\n" /* four outputs, from their biases on */
                   "ldrd r0, r2, [r1], #8; ldrd r4, r6, [r1], #8; mov r9, r5\n"
                   "wls lr, r12, 3f\n"
                   "2:\n"
                   "vldrb.8 q0, [r9], #16\n" STEP "le lr, 2b\n"
                   "3:\n"
                   "cmp r8, #0; beq 4f\n"
                   "vctp.8 r8; vpst; vldrbt.8 q0, [r9]\n" STEP "4:\n"
                   "vmov d0, r0, r2; vmov d1, r4, r6\n"
                   "vldrw.32 q1, [r1], #16; vrmulh.s32 q0, q0, q1; vadd.i32 q0, q0, r7\n"
                   "vmax.s32 q0, q0, q2; vmin.s32 q0, q0, q3; vstrb.32 q0, [r3], #4\n"
                   "subs r11, #1; bne 1b\n"
                   "pop {r4-r9, r11, pc}\n");
}

/* All outputs of one pixel; up to three behind the last four by a spare place. */
static void pixel(const mplan_dense_s8_mve_t *p, job_t *job)
{
    const uint32_t fours = p->out_c / QUAD;
    const uint32_t rest = p->out_c % QUAD;
    int8_t *const out = job->out;
    int8_t four[QUAD];

    job->packed = p->packed;
    job->fours = fours;
    if (fours > 0U) {
        outputs(job);
    }
    if (rest > 0U) {
        const size_t words = (2U * QUAD) + (QUAD * (((p->in_c + LANES - 1U) / LANES) * QUAD));
        const mve_pred16_t lanes = vctp8q(rest);

        job->packed = &p->packed[fours * words];
        job->fours = 1U;
        job->out = four;
        outputs(job);
        vstrbq_p_s8(&out[fours * QUAD], vldrbq_z_s8(four, lanes), lanes);
    }
}

MPLAN_KERNEL
void mplan_dense_s8_mve(const mplan_dense_s8_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    job_t job;

    job.steps = p->in_c / LANES;
    job.rest = p->in_c % LANES;
    job.zero_point = p->out_zero_point;
    job.act_min = p->act_min;
    job.act_max = p->act_max;
    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = p->pixels; i > 0U; i--) {
            job.in = from;
            job.out = to;
            pixel(p, &job);
            from = &from[p->in_c];
            to = &to[p->out_c];
        }
    }
}
