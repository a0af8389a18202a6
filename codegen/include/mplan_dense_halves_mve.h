/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_dense_halves_mve.h - fully connected layer of int16 by vectors, for weights of either type.
 *
 * A kernel includes it behind arm_mve.h and dense_t, its parameters, which mplan_dense_s16_mve.h
 * tells, and WEIGHTS(q), which loads eight weights from r1 on.
 */
#ifndef MPLAN_DENSE_HALVES_MVE_H
#define MPLAN_DENSE_HALVES_MVE_H

#include "mplan.h"

#define LANES (8U)
#define QUAD (4U)    /* outputs that leave together */
#define CHUNK (7U)   /* vectors of inputs that stay in registers, at most */
#define BLOCK (128U) /* outputs whose sums are held */
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* Sums of many outputs, and some vectors of inputs. The offsets stand in the assembly. */
typedef struct {
    const int32_t *packed; /*  0: weights of the first pair of outputs */
    const int16_t *in;     /*  4 */
    const int32_t *from;   /*  8: sums so far */
    int32_t *sums;         /* 12: where they go */
    uint32_t pairs;        /* 16: of outputs, at least 1 */
    uint32_t last;         /* 20: inputs of the last vector, or more */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, packed, 0U) && MPLAN_AT(job_t, in, 4U) &&
                        MPLAN_AT(job_t, from, 8U) && MPLAN_AT(job_t, sums, 12U) &&
                        MPLAN_AT(job_t, pairs, 16U) && MPLAN_AT(job_t, last, 20U));

#define INPUTS(q) "vldrh.16 " q ", [r4], #16\n"
#define LAST_INPUTS(q) "vpst; vldrht.16 " q ", [r4]\n"

/* Eight inputs of two outputs; loads and products take turns, so that they overlap. */
#define STEP(q)                                                                                    \
    WEIGHTS("q7") "vmladava.s16 r0, " q ", q7\n" WEIGHTS("q7") "vmladava.s16 r2, " q ", q7\n"

/* Adds the inputs of a chunk to all sums; returns where its weights end. */
#define ADD_CHUNK(loads, steps)                                                                    \
    __asm volatile("push {r4, r5, lr}; vpush {d8-d15}; ldrd r1, r4, [r0]\n"                        \
                   "ldrd r5, r3, [r0, #8]; ldrd r12, r2, [r0, #16]; vctp.16 r2\n" loads            \
                   "dls lr, r12\n"                                                                 \
                   "1: ldrd r0, r2, [r5], #8\n" steps "strd r0, r2, [r3], #8; le lr, 1b\n"         \
                   "mov r0, r1; vpop {d8-d15}; pop {r4, r5, pc}\n")

#define INPUTS2 INPUTS("q0") INPUTS("q1")
#define INPUTS4 INPUTS2 INPUTS("q2") INPUTS("q3")
#define STEPS2 STEP("q0") STEP("q1")
#define STEPS4 STEPS2 STEP("q2") STEP("q3")

static NAKED const int32_t *add_1(UNREAD const job_t *job)
{
    ADD_CHUNK(LAST_INPUTS("q0"), STEP("q0"));
}

static NAKED const int32_t *add_2(UNREAD const job_t *job)
{
    ADD_CHUNK(INPUTS("q0") LAST_INPUTS("q1"), STEPS2);
}

static NAKED const int32_t *add_3(UNREAD const job_t *job)
{
    ADD_CHUNK(INPUTS2 LAST_INPUTS("q2"), STEPS2 STEP("q2"));
}

static NAKED const int32_t *add_4(UNREAD const job_t *job)
{
    ADD_CHUNK(INPUTS2 INPUTS("q2") LAST_INPUTS("q3"), STEPS4);
}

static NAKED const int32_t *add_5(UNREAD const job_t *job)
{
    ADD_CHUNK(INPUTS4 LAST_INPUTS("q4"), STEPS4 STEP("q4"));
}

static NAKED const int32_t *add_6(UNREAD const job_t *job)
{
    ADD_CHUNK(INPUTS4 INPUTS("q4") LAST_INPUTS("q5"), STEPS4 STEP("q4") STEP("q5"));
}

static NAKED const int32_t *add_7(UNREAD const job_t *job)
{
    ADD_CHUNK(INPUTS4 INPUTS("q4") INPUTS("q5") LAST_INPUTS("q6"),
              STEPS4 STEP("q4") STEP("q5") STEP("q6"));
}

static const int32_t *add_chunk(const job_t *job, size_t vectors)
{
    const int32_t *end;

    switch (vectors) {
    case 1U:
        end = add_1(job);
        break;
    case 2U:
        end = add_2(job);
        break;
    case 3U:
        end = add_3(job);
        break;
    case 4U:
        end = add_4(job);
        break;
    case 5U:
        end = add_5(job);
        break;
    case 6U:
        end = add_6(job);
        break;
    default:
        end = add_7(job);
        break;
    }
    return end;
}

/* What becomes of sums. The offsets stand in the assembly. */
typedef struct {
    int32_t zero_point; /*  0 */
    int32_t act_min;    /*  4 */
    int32_t act_max;    /*  8 */
    uint32_t count;     /* 12: of outputs */
} ends_t;
MPLAN_STATIC_ASSERT(ends_as_in_assembly,
                    MPLAN_AT(ends_t, zero_point, 0U) && MPLAN_AT(ends_t, act_min, 4U) &&
                        MPLAN_AT(ends_t, act_max, 8U) && MPLAN_AT(ends_t, count, 12U));

static NAKED void finish(UNREAD const int32_t *sums, UNREAD const int32_t *multipliers,
                         UNREAD int16_t *out, UNREAD const ends_t *ends)
{
    __asm volatile("push {r4, lr}; ldrd r4, r12, [r3]; vdup.32 q2, r12\n"
                   "ldrd r12, r3, [r3, #8]; vdup.32 q3, r12; wlstp.32 lr, r3, 2f\n"
                   "1: vldrw.32 q0, [r0], #16; vldrw.32 q1, [r1], #16; vrmulh.s32 q0, q0, q1\n"
                   "vadd.i32 q0, q0, r4; vmax.s32 q0, q0, q2; vmin.s32 q0, q0, q3\n"
                   "vstrh.32 q0, [r2], #8; letp lr, 1b\n"
                   "2: pop {r4, pc}\n");
}

/* Sums times powers of two. */
static void shift_sums(int32_t *sums, const uint8_t *shifts, size_t count)
{
    for (size_t i = 0U; i < count; i += QUAD) {
        const int32x4_t by = vreinterpretq_s32_u32(vldrbq_u32(&shifts[i]));

        vstrwq_s32(&sums[i], vshlq_s32(vldrwq_s32(&sums[i]), by));
    }
}

/* All outputs of one pixel, some at a time; inputs in equal parts that registers hold. */
static void dense_pixel(const dense_t *p, const int16_t *in, int16_t *out, int32_t *sums)
{
    const size_t vectors = ((size_t)p->in_c + LANES - 1U) / LANES;
    const size_t chunks = (vectors + CHUNK - 1U) / CHUNK;
    const int32_t *packed = p->packed;
    ends_t ends = {p->out_zero_point, p->act_min, p->act_max, 0U};

    for (size_t first = 0U; first < p->out_c; first += BLOCK) {
        const size_t left = (size_t)p->out_c - first;
        const size_t count = (left < BLOCK) ? left : BLOCK;
        const size_t whole = (count + QUAD - 1U) & ~(size_t)(QUAD - 1U);
        job_t job = {.packed = &packed[whole], .in = in, .from = packed, .sums = sums};
        size_t done = 0U;

        job.pairs = (uint32_t)(whole / 2U);
        for (size_t i = 1U; i <= chunks; i++) {
            const size_t end = (vectors * i) / chunks;

            job.in = &in[done * LANES];
            job.last = (uint32_t)((size_t)p->in_c - ((end - 1U) * LANES));
            job.packed = add_chunk(&job, end - done);
            job.from = sums;
            done = end;
        }
        if (p->pre_shift != NULL) {
            shift_sums(sums, &p->pre_shift[first], whole);
        }
        ends.count = (uint32_t)count;
        finish(sums, job.packed, &out[first], &ends);
        packed = &job.packed[whole];
    }
}

#endif /* MPLAN_DENSE_HALVES_MVE_H */
