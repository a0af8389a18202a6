/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_w4_mve.h"

#define STEP (32U) /* inputs whose weights share a vector */
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* One pixel. The offsets stand in the assembly. */
typedef struct {
    const int8_t *in;      /*  0 */
    int8_t *out;           /*  4 */
    const int32_t *packed; /*  8 */
    uint32_t outputs;      /* 12: at least 1 */
    uint32_t blocks;       /* 16: at least 1 */
    uint32_t more;         /* 20: steps of a block behind the first */
    uint32_t more_of_last; /* 24: the same of the last block */
    int32_t zero_point;    /* 28 */
    int32_t act_min;       /* 32 */
    int32_t act_max;       /* 36 */
    const uint8_t *shifts; /* 40: NULL: none */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, in, 0U) && MPLAN_AT(job_t, out, 4U) &&
                        MPLAN_AT(job_t, packed, 8U) && MPLAN_AT(job_t, outputs, 12U) &&
                        MPLAN_AT(job_t, blocks, 16U) && MPLAN_AT(job_t, more, 20U) &&
                        MPLAN_AT(job_t, more_of_last, 24U) && MPLAN_AT(job_t, zero_point, 28U) &&
                        MPLAN_AT(job_t, act_min, 32U) && MPLAN_AT(job_t, act_max, 36U) &&
                        MPLAN_AT(job_t, shifts, 40U));

/* Weights of an output: each half of a byte, in its high half, is 16 times one. */
#define LOW "vldrb.8 q2, [r1], #16; vshl.i8 q3, q2, #4\n"
#define HIGH "vand q2, q2, q4\n"

/* 16 times the sums of 32 products of four outputs; products, loads and others take turns. */
#define SUMS(multiply)                                                                             \
    "vldrb.8 q0, [r9], #16\n" LOW multiply " r0, q0, q3; vldrb.8 q1, [r9], #16\n"                  \
    HIGH "vmladava.s8 r0, q1, q2\n"                                                                \
    LOW multiply " r2, q0, q3\n" HIGH "vmladava.s8 r2, q1, q2\n"                                   \
    LOW multiply " r4, q0, q3\n" HIGH "vmladava.s8 r4, q1, q2\n"                                   \
    LOW multiply " r6, q0, q3\n" HIGH "vmladava.s8 r6, q1, q2\n"

/* The sums of a block times their factors. */
#define FOLD                                                                                       \
    "vmov d0, r0, r2; vmov d1, r4, r6; vldrb.s32 q1, [r1], #4; vshr.s32 q0, q0, #4\n"              \
    "vmul.i32 q0, q0, q1; subs r10, r10, #1; vadd.i32 q5, q5, q0\n"

#define BEGIN                                                                                      \
    "push {r4-r11, lr}; vpush {d8-d15}; ldrd r5, r3, [r0]; ldrd r1, r8, [r0, #8]\n"                \
    "ldrd r11, r12, [r0, #16]; ldrd r9, r7, [r0, #24]; ldrd r2, r4, [r0, #32]\n"                   \
    "ldr r6, [r0, #40]; push {r6, r9}; vdup.32 q6, r2; vdup.32 q7, r4; vmov.i8 q4, #0xF0\n"        \
    "1: vldrw.32 q5, [r1], #16; mov r9, r5; mov r10, r11\n" /* four outputs, from their biases on */

#define END                                                                                        \
    "ldr r0, [sp]; cbnz r0, 8f\n"                                                                  \
    "7: vldrw.32 q0, [r1], #16; vrmulh.s32 q5, q5, q0; vctp.32 r8; vadd.i32 q5, q5, r7\n"          \
    "subs r8, r8, #4; vmax.s32 q5, q5, q6; vmin.s32 q5, q5, q7; vpst\n"                            \
    "vstrbt.32 q5, [r3], #4; bgt.w 1b\n"                                                           \
    "add sp, #8; vpop {d8-d15}; pop {r4-r11, pc}\n"                                                \
    "8: vldrb.s32 q0, [r0]; adds r0, #4; str r0, [sp]; vshl.s32 q5, q5, q0; b 7b\n"

/* All outputs of a pixel, blocks of any number of steps. */
static NAKED void outputs(UNREAD const job_t *job)
{
    __asm volatile(BEGIN "2: cmp r10, #1; ite eq; ldreq lr, [sp, #4]; movne lr, r12\n"
                   SUMS("vmladav.s8") "wls lr, lr, 4f\n"
                   "3: " SUMS("vmladava.s8") "le lr, 3b\n"
                   "4: " FOLD "bne.w 2b\n" END);
}

/* The same where every block is one step. */
static NAKED void outputs_of_steps(UNREAD const job_t *job)
{
    __asm volatile(BEGIN "dls lr, r11\n"
                   "2: " SUMS("vmladav.s8") FOLD "le lr, 2b\n" END);
}

MPLAN_KERNEL
void mplan_dense_w4_mve(const mplan_dense_w4_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    const uint32_t whole = (p->in_c - 1U) / p->block; /* blocks before the last */
    job_t job = {.packed = p->packed, .outputs = p->out_c, .shifts = p->pre_shift};

    job.blocks = whole + 1U;
    job.more = (p->block / STEP) - 1U;
    job.more_of_last = ((p->in_c - (whole * p->block)) / STEP) - 1U;
    job.zero_point = p->out_zero_point;
    job.act_min = p->act_min;
    job.act_max = p->act_max;
    for (size_t y = y0; y < y1; y++) {
        job.in = &in[mplan_row(&p->in_rows, y)];
        job.out = &out[mplan_row(&p->out_rows, y)];
        for (size_t i = p->pixels; i > 0U; i--) {
            if (p->block == STEP) {
                outputs_of_steps(&job);
            } else {
                outputs(&job);
            }
            job.in = &job.in[p->in_c];
            job.out = &job.out[p->out_c];
        }
    }
}
