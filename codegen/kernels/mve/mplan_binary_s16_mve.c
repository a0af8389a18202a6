/* SPDX-License-Identifier: 0BSD */
#include "mplan_binary_s16_mve.h"

#define EIGHT (8U) /* elements of a round */
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* What is done with elements. The offsets stand in the assembly. */
typedef struct {
    int32_t low;         /*  0 */
    int32_t high;        /*  4 */
    int32_t low2;        /*  8 */
    int32_t high2;       /* 12 */
    int32_t minus_shift; /* 16 */
    int32_t multiplier;  /* 20 */
    int32_t act_min;     /* 24 */
    int32_t act_max;     /* 28 */
    uint32_t rounds;     /* 32: of eight elements */
    uint32_t rest;       /* 36 */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, low, 0U) && MPLAN_AT(job_t, high, 4U) &&
                        MPLAN_AT(job_t, low2, 8U) && MPLAN_AT(job_t, high2, 12U) &&
                        MPLAN_AT(job_t, minus_shift, 16U) && MPLAN_AT(job_t, multiplier, 20U) &&
                        MPLAN_AT(job_t, act_min, 24U) && MPLAN_AT(job_t, act_max, 28U) &&
                        MPLAN_AT(job_t, rounds, 32U) && MPLAN_AT(job_t, rest, 36U));

/* The first of eight elements end while the products of the others are made. */
static NAKED void sums(UNREAD const int8_t *in, UNREAD const int8_t *in2, UNREAD int8_t *out,
                       UNREAD const job_t *job)
{
    __asm volatile("push {r4-r9, r11, lr}; vpush {d8-d15}; ldrd r4, r5, [r3]\n"
                   "ldrd r6, r7, [r3, #8]; ldr r8, [r3, #16]; ldrd r9, r12, [r3, #24]\n"
                   "ldrd r3, r11, [r3, #32]; vdup.32 q6, r9; vdup.32 q7, r12; wls lr, r3, 2f\n"
                   "1: vldrh.s32 q0, [r0], #8; vldrh.s32 q1, [r1], #8; vmul.i32 q2, q0, r4\n"
                   "vldrh.s32 q3, [r0], #8; vmul.i32 q0, q0, r5; vldrh.s32 q4, [r1], #8\n"
                   "vmla.s32 q2, q1, r6; vmla.s32 q0, q1, r7; vshr.s32 q2, q2, #15\n"
                   "vmul.i32 q5, q3, r4; vadd.i32 q0, q0, q2; vmul.i32 q3, q3, r5\n"
                   "vrshl.s32 q0, r8; vmla.s32 q5, q4, r6; vmax.s32 q0, q0, q6\n"
                   "vmla.s32 q3, q4, r7; vmin.s32 q0, q0, q7; vstrh.32 q0, [r2], #8\n"
                   "vshr.s32 q5, q5, #15; vadd.i32 q3, q3, q5; vrshl.s32 q3, r8\n"
                   "vmax.s32 q3, q3, q6; vmin.s32 q3, q3, q7; vstrh.32 q3, [r2], #8\n"
                   "le lr, 1b\n"
                   "2: wlstp.32 lr, r11, 4f\n"
                   "3: vldrh.s32 q0, [r0], #8; vldrh.s32 q1, [r1], #8; vmul.i32 q2, q0, r4\n"
                   "vmul.i32 q0, q0, r5; vmla.s32 q2, q1, r6; vmla.s32 q0, q1, r7\n"
                   "vshr.s32 q2, q2, #15; vadd.i32 q0, q0, q2; vrshl.s32 q0, r8\n"
                   "vmax.s32 q0, q0, q6; vmin.s32 q0, q0, q7; vstrh.32 q0, [r2], #8\n"
                   "letp lr, 3b\n"
                   "4: vpop {d8-d15}; pop {r4-r9, r11, pc}\n");
}

static NAKED void products(UNREAD const int8_t *in, UNREAD const int8_t *in2, UNREAD int8_t *out,
                           UNREAD const job_t *job)
{
    __asm volatile("push {r4-r6, lr}; vpush {d8-d9}; ldrd r4, r5, [r3, #20]; ldr r6, [r3, #28]\n"
                   "ldrd r3, r12, [r3, #32]; add r3, r12, r3, lsl #3\n"
                   "vdup.32 q2, r4; vdup.32 q3, r5; vdup.32 q4, r6; wlstp.32 lr, r3, 2f\n"
                   "1: vldrh.s32 q0, [r0], #8; vldrh.s32 q1, [r1], #8; vmul.i32 q0, q0, q1\n"
                   "vrmulh.s32 q0, q0, q2; vmax.s32 q0, q0, q3; vmin.s32 q0, q0, q4\n"
                   "vstrh.32 q0, [r2], #8; letp lr, 1b\n"
                   "2: vpop {d8-d9}; pop {r4-r6, pc}\n");
}

MPLAN_KERNEL
void mplan_binary_s16_mve(const mplan_binary_s16_mve_t *p, const int8_t *in, const int8_t *in2,
                          int8_t *out, size_t y0, size_t y1)
{
    job_t job = {.low = p->low, .high = p->high, .low2 = p->low2, .high2 = p->high2};

    job.minus_shift = -(int32_t)p->shift;
    job.multiplier = p->multiplier;
    job.act_min = p->act_min;
    job.act_max = p->act_max;
    job.rounds = p->elements / EIGHT;
    job.rest = p->elements % EIGHT;
    for (size_t y = y0; y < y1; y++) {
        const int8_t *const a = &in[mplan_row(&p->in_rows, y)];
        const int8_t *const b = &in2[mplan_row(&p->in2_rows, y)];
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        if (p->is_product != 0U) {
            products(a, b, to, &job);
        } else {
            sums(a, b, to, &job);
        }
    }
}
