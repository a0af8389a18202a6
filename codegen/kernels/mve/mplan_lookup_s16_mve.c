/* SPDX-License-Identifier: 0BSD */
#include "mplan_lookup_s16_mve.h"

#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* What is done with elements. The offsets stand in the assembly. */
typedef struct {
    const int32_t *table; /*  0 */
    uint32_t count;       /*  4: of elements */
    uint32_t shift;       /*  8 */
    int32_t minus_shift;  /* 12 */
    int32_t minus_down;   /* 16: of a sum */
    uint32_t mask;        /* 20: of what lies between two entries */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, table, 0U) && MPLAN_AT(job_t, count, 4U) &&
                        MPLAN_AT(job_t, shift, 8U) && MPLAN_AT(job_t, minus_shift, 12U) &&
                        MPLAN_AT(job_t, minus_down, 16U) && MPLAN_AT(job_t, mask, 20U));

/* Elements of a row, four at a time: the entry before each and the one behind it. */
static NAKED void look_up(UNREAD const int8_t *in, UNREAD int8_t *out, UNREAD const job_t *job)
{
    __asm volatile("push {r4-r8, lr}; vpush {d8-d9}; ldrd r3, r4, [r2]; ldrd r5, r6, [r2, #8]\n"
                   "ldrd r7, r8, [r2, #16]; vdup.32 q4, r8; mov r8, #32768; adds r2, r3, #4\n"
                   "wlstp.32 lr, r4, 2f\n"
                   "1: vldrh.s32 q0, [r0], #8; vadd.i32 q0, q0, r8; vand q1, q0, q4\n"
                   "vshl.u32 q0, r6; vldrw.u32 q2, [r3, q0, uxtw #2]\n"
                   "vldrw.u32 q3, [r2, q0, uxtw #2]; vsub.i32 q3, q3, q2; vmul.i32 q3, q3, q1\n"
                   "vshl.s32 q2, r5; vadd.i32 q2, q2, q3; vrshl.s32 q2, r7\n"
                   "vqmovnb.s32 q2, q2; vstrh.32 q2, [r1], #8; letp lr, 1b\n"
                   "2: vpop {d8-d9}; pop {r4-r8, pc}\n");
}

MPLAN_KERNEL
void mplan_lookup_s16_mve(const mplan_lookup_s16_mve_t *p, const int8_t *in, int8_t *out,
                          size_t y0, size_t y1)
{
    job_t job = {.table = p->table, .count = p->elements, .shift = p->shift};

    job.minus_shift = -(int32_t)p->shift;
    job.minus_down = job.minus_shift - 4;
    job.mask = ((uint32_t)1 << p->shift) - 1U;
    for (size_t y = y0; y < y1; y++) {
        look_up(&in[mplan_row(&p->in_rows, y)], &out[mplan_row(&p->out_rows, y)], &job);
    }
}
