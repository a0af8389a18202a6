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
    uint32_t steps;        /* 20: of a block, whole ones; of a single one without the first */
    uint32_t last_steps;   /* 24: of the last one */
    int32_t zero_point;    /* 28 */
    int32_t act_min;       /* 32 */
    int32_t act_max;       /* 36 */
    const uint8_t *shifts; /* 40: NULL: none */
    uint32_t rest;         /* 44: inputs behind the last step */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, in, 0U) && MPLAN_AT(job_t, out, 4U) &&
                        MPLAN_AT(job_t, packed, 8U) && MPLAN_AT(job_t, outputs, 12U) &&
                        MPLAN_AT(job_t, blocks, 16U) && MPLAN_AT(job_t, steps, 20U) &&
                        MPLAN_AT(job_t, last_steps, 24U) && MPLAN_AT(job_t, zero_point, 28U) &&
                        MPLAN_AT(job_t, act_min, 32U) && MPLAN_AT(job_t, act_max, 36U) &&
                        MPLAN_AT(job_t, shifts, 40U) && MPLAN_AT(job_t, rest, 44U));

/* Weights of an output: each half of a byte, in its high half, is 16 times one. */
#define LOW "vldrb.8 q2, [r1], #16; vshl.i8 q3, q2, #4\n"
#define HIGH "vand q2, q2, q4\n"

/* 16 times the sums of 32 products of four outputs; products, loads and others take turns. */
#define SUMS(multiply)                                                                             \
    LOW "vldrb.8 q0, [r9], #16; " multiply " r0, q0, q3; vldrb.8 q1, [r9], #16\n"                  \
    HIGH "vmladava.s8 r0, q1, q2\n"                                                                \
    OTHERS(multiply)
#define SUMS_OF_LOADED                                                                             \
    HIGH "vmladava.s8 r0, q1, q2\n"                                                                \
    OTHERS("vmladava.s8")
#define OTHERS(multiply)                                                                           \
    LOW multiply " r2, q0, q3\n" HIGH "vmladava.s8 r2, q1, q2\n"                                   \
    LOW multiply " r4, q0, q3\n" HIGH "vmladava.s8 r4, q1, q2\n"                                   \
    LOW multiply " r6, q0, q3\n" HIGH "vmladava.s8 r6, q1, q2\n"

/* The sums of a block times their factors; a scalar stands beside vectors. */
#define FOLD(beside)                                                                               \
    "vmov d0, r0, r2; vmov d1, r4, r6; vldrb.s32 q1, [r1], #4; vshr.s32 q0, q0, #4\n"              \
    "vmul.i32 q0, q0, q1; " beside "; vadd.i32 q5, q5, q0\n"
#define SHIFTS "ldr r0, [sp]"

/* Four outputs, from their biases on. */
#define BEGIN                                                                                      \
    "push {r4-r11, lr}; vpush {d8-d15}; ldrd r5, r3, [r0]; ldrd r1, r8, [r0, #8]\n"                \
    "ldrd r11, r12, [r0, #16]; ldrd r9, r7, [r0, #24]; ldrd r2, r4, [r0, #32]\n"                   \
    "ldrd r6, r10, [r0, #40]; push {r6, r9, r10}; vdup.32 q6, r2; vdup.32 q7, r4\n"                \
    "vmov.i8 q4, #0xF0\n"                                                                          \
    "1: vldrw.32 q5, [r1], #16; mov r9, r5\n"

#define END                                                                                        \
    "cbnz r0, 8f\n"                                                                                \
    "7: vldrw.32 q0, [r1], #16; vrmulh.s32 q5, q5, q0; vctp.32 r8; vadd.i32 q5, q5, r7\n"          \
    "subs r8, r8, #4; vmax.s32 q5, q5, q6; vmin.s32 q5, q5, q7; vpst\n"                            \
    "vstrbt.32 q5, [r3], #4; bgt.w 1b\n"                                                           \
    "add sp, #12; vpop {d8-d15}; pop {r4-r11, pc}\n"                                               \
    "8: vldrb.s32 q0, [r0]; adds r0, #4; str r0, [sp]; vshl.s32 q5, q5, q0; b 7b\n"

/* All outputs of a pixel. What the last step lacks of 32 inputs has weights of 0. */
static NAKED void outputs(UNREAD const job_t *job)
{
    __asm volatile(BEGIN "mov r10, r11\n"
                   "2: movs r0, #0; movs r2, #0; movs r4, #0; movs r6, #0; cmp r10, #1\n"
                   "ite eq; ldreq lr, [sp, #4]; movne lr, r12; wls lr, lr, 4f\n"
                   "3: " SUMS("vmladava.s8") "le lr, 3b\n"
                   "4: cmp r10, #1; bne 5f; ldr lr, [sp, #8]; cmp lr, #0; beq 5f\n"
                   "vctp.8 lr; vpst; vldrbt.8 q0, [r9]; subs lr, lr, #16; it mi; movmi lr, #0\n"
                   "vctp.8 lr; vpst; vldrbt.8 q1, [r9, #16]\n"
                   LOW "vmladava.s8 r0, q0, q3\n" SUMS_OF_LOADED
                   "5: " FOLD("subs r10, r10, #1") "bne.w 2b; " SHIFTS "\n" END);
}

/* The same of one block of whole steps. */
static NAKED void outputs_of_block(UNREAD const job_t *job)
{
    __asm volatile(BEGIN SUMS("vmladav.s8") "wls lr, r12, 4f\n"
                   "3: " SUMS("vmladava.s8") "le lr, 3b\n"
                   "4: " FOLD(SHIFTS) END);
}

/* The same where every block is one step. */
static NAKED void outputs_of_steps(UNREAD const job_t *job)
{
    __asm volatile(BEGIN "dls lr, r11\n"
                   "2: " SUMS("vmladav.s8") FOLD(SHIFTS) "le lr, 2b\n" END);
}

MPLAN_KERNEL
void mplan_dense_w4_mve(const mplan_dense_w4_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1)
{
    const uint32_t whole = (p->in_c - 1U) / p->block; /* blocks before the last */
    job_t job = {.packed = p->packed, .outputs = p->out_c, .shifts = p->pre_shift};

    job.blocks = whole + 1U;
    job.rest = p->in_c % STEP;
    job.steps = p->block / STEP;
    job.last_steps = (p->in_c - (whole * p->block)) / STEP;
    job.zero_point = p->out_zero_point;
    job.act_min = p->act_min;
    job.act_max = p->act_max;
    for (size_t y = y0; y < y1; y++) {
        job.in = &in[mplan_row(&p->in_rows, y)];
        job.out = &out[mplan_row(&p->out_rows, y)];
        for (size_t i = p->pixels; i > 0U; i--) {
            if ((job.rest == 0U) && (p->block == STEP)) {
                outputs_of_steps(&job);
            } else if ((job.rest == 0U) && (whole == 0U)) {
                job.steps = (p->in_c / STEP) - 1U;
                outputs_of_block(&job);
            } else {
                outputs(&job);
            }
            job.in = &job.in[p->in_c];
            job.out = &job.out[p->out_c];
        }
    }
}
