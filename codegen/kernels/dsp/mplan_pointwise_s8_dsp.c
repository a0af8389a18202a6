/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_pointwise_s8_dsp.h"

#include "mplan_four_pixels_dsp.h"

/* What the assembly reads; its offsets stand there. */
typedef struct {
    const int8_t *in[4];   /*  0: of four pixels, move on */
    uint32_t in_step;      /* 16: bytes to those of the next four */
    int8_t *out;           /* 20: of pixel 0, moves on */
    uint32_t out_apart;    /* 24: bytes from pixel to pixel */
    uint32_t fours;        /* 28: channels of a pixel, four at a time */
    uint32_t place;        /* 32: bytes from the frame to the first words of pixels */
    uint32_t left;         /* 36: channels beyond the fours */
    uint32_t blocks;       /* 40: of four pixels, at least 1; counts down */
    const int32_t *packed; /* 44 */
    const int32_t *end;    /* 48: of it */
    uint32_t skip;         /* 52: bytes of code before the entry of the steps */
    int32_t zero_point;    /* 56 */
    size_t waiting;        /* pixels, at most three between runs: their inputs are in[] */
    int8_t *outs[4];       /* theirs */
    const int8_t *run_in;  /* pixels that follow one another in memory, as their outputs do */
    int8_t *run_out;
    size_t count; /* of them */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, in_step, 16U) && MPLAN_AT(job_t, out, 20U) &&
                        MPLAN_AT(job_t, out_apart, 24U) && MPLAN_AT(job_t, fours, 28U) &&
                        MPLAN_AT(job_t, place, 32U) && MPLAN_AT(job_t, left, 36U) &&
                        MPLAN_AT(job_t, blocks, 40U) && MPLAN_AT(job_t, packed, 44U) &&
                        MPLAN_AT(job_t, end, 48U) && MPLAN_AT(job_t, skip, 52U) &&
                        MPLAN_AT(job_t, zero_point, 56U) && (sizeof(job_t) == 92U));

/* Blocks of four pixels, whose words are made first; behind the frame of the steps: job. */
static MPLAN_NAKED void four_pixels(__attribute__((unused)) job_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, #284; str r0, [sp, #280]\n"
        "ldr r1, [r0, #52]; adr.w r2, 2f; add r1, r1, r2; orr r1, r1, #1; str r1, [sp, #256]\n"
        "ldr r1, [r0, #56]; lsl r2, r1, #8; add r2, r2, #128; str r1, [sp, #260]\n"
        "str r2, [sp, #264]; ldr r1, [r0, #24]; ldr r2, [r0, #48]; str r1, [sp, #272]\n"
        "str r2, [sp, #276]\n"
        ".balign 4\n1:\n" /* four pixels */
        "ldr.w r12, [sp, #280]; ldm.w r12, {r0-r8}; str r5, [sp, #268]\n"
        "add.w r5, r5, r6, lsl #2; str.w r5, [r12, #20]; add.w r9, r0, r4; add.w r10, r1, r4\n"
        "add.w r11, r2, r4; add.w lr, r3, r4; stm.w r12, {r9-r11, lr}; mov lr, r7\n"
        "add.w r12, sp, r8; cbz r7, 8f\n"
        ".balign 4\n7:\n" /* four channels */
        "ldr.w r4, [r0], #4; ldr.w r5, [r1], #4; ldr.w r6, [r2], #4; ldr.w r7, [r3], #4\n"
        "sxtb16 r8, r4, ror #8; sxtb16 r9, r5, ror #8; sxtb16 r10, r6, ror #8\n"
        "sxtb16 r11, r7, ror #8; sxtb16 r4, r4; sxtb16 r5, r5; sxtb16 r6, r6; sxtb16 r7, r7\n"
        "stm.w r12!, {r4-r11}; subs.w lr, lr, #1; bne 7b\n"
        "8: ldr.w lr, [sp, #280]; ldr.w r4, [lr, #36]; ldr.w lr, [lr, #44]; cmp r4, #0; beq.w 5f\n"
        "lsrs r4, r4, #1; beq 8f\n"
        "ldrh r5, [r0], #2; ldrh r6, [r1], #2; ldrh r7, [r2], #2; ldrh r8, [r3], #2\n"
        "orr r5, r5, r5, lsl #8; orr r6, r6, r6, lsl #8; orr r7, r7, r7, lsl #8\n"
        "orr r8, r8, r8, lsl #8; sxtb16 r5, r5; sxtb16 r6, r6; sxtb16 r7, r7; sxtb16 r8, r8\n"
        "stm r12!, {r5-r8}\n"
        "8: bcc.w 5f; ldrsb r5, [r0]; ldrsb r6, [r1]; ldrsb r7, [r2]; ldrsb r8, [r3]\n"
        "stm r12!, {r5-r8}; b.w 5f\n"
        MPLAN_FOUR_PIXELS
        "6: ldr r0, [sp, #280]; ldr r1, [r0, #40]; subs r1, #1; str r1, [r0, #40]; bne.w 1b\n"
        "add sp, #284; pop {r4-r11, pc}\n");
}

/* The pixels that wait, their outputs behind the job: what is missing is the last one again. */
static MPLAN_APART void take_waiting(job_t *job)
{
    for (size_t i = job->waiting; i < 4U; i++) {
        job->in[i] = job->in[i - 1U];
    }
    job->out = (int8_t *)(void *)&job[1];
    job->blocks = 1U;
    four_pixels(job);
}

/* Their outputs to where they go. */
static MPLAN_APART void settle(job_t *job)
{
    const int8_t *const outs = (const int8_t *)(const void *)&job[1];
    const size_t bytes = job->out_apart;

    for (size_t i = 0U; i < job->waiting; i++) {
        (void)memcpy(job->outs[i], &outs[i * bytes], bytes);
    }
    job->waiting = 0U;
}

/* First pixels of a run wait until they are four. */
static MPLAN_APART void let_wait(job_t *job)
{
    while ((job->waiting < 4U) && (job->count > 0U)) {
        job->in[job->waiting] = job->run_in;
        job->outs[job->waiting] = job->run_out;
        job->waiting++;
        job->run_in = &job->run_in[job->in_step / 4U];
        job->run_out = &job->run_out[job->out_apart];
        job->count--;
    }
}

/* Pixels of a run in blocks, until fewer than four are left. */
static MPLAN_APART void take(job_t *job)
{
    const size_t apart = job->in_step / 4U;

    for (size_t i = 0U; i < 4U; i++) {
        job->in[i] = &job->run_in[i * apart];
    }
    job->out = job->run_out;
    job->blocks = (uint32_t)job->count / 4U;
    job->run_in = &job->in[0][4U * job->blocks * apart];
    job->run_out = &job->out[4U * job->blocks * job->out_apart];
    job->count %= 4U;
    four_pixels(job);
}

/* Output rows from y on that follow one another in memory, as their inputs do; to the next one. */
static MPLAN_APART size_t find_run(const mplan_pointwise_s8_dsp_t *p, job_t *job,
                                   const int8_t *in, int8_t *out, size_t y0, size_t y1)
{
    const size_t apart = job->in_step / 4U;
    size_t y = y0;

    job->run_in = &in[mplan_row(&p->in_rows, y * p->stride_h)];
    job->run_out = &out[mplan_row(&p->out_rows, y)];
    job->count = 0U;
    do {
        job->count += p->out_w;
        y++;
    } while ((y < y1) &&
             (&in[mplan_row(&p->in_rows, y * p->stride_h)] == &job->run_in[job->count * apart]) &&
             (&out[mplan_row(&p->out_rows, y)] == &job->run_out[job->count * p->out_c]));
    return y;
}

static MPLAN_APART void prepare(const mplan_pointwise_s8_dsp_t *p, job_t *job)
{
    const uint32_t steps = ((uint32_t)p->in_c + 1U) / 2U;
    const uint32_t absent = MPLAN_FOUR_PIXELS_STEPS - steps;

    job->in_step = 4U * (uint32_t)p->stride_w * p->in_c;
    job->out_apart = p->out_c;
    job->fours = (uint32_t)p->in_c / 4U;
    job->place = 16U * absent;
    job->left = (uint32_t)p->in_c % 4U;
    job->packed = p->packed;
    job->end = &p->packed[((size_t)p->out_c / 2U) * (4U + steps)];
    job->skip = absent * MPLAN_FOUR_PIXELS_BYTES;
    job->zero_point = p->out_zero_point;
    job->waiting = 0U;
}

MPLAN_KERNEL void mplan_pointwise_s8_dsp(const mplan_pointwise_s8_dsp_t *p, const int8_t *in,
                                         int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    job_t *const job = (job_t *)(void *)scratch;

    size_t y = y0;

    prepare(p, job);
    while ((y < y1) || (job->waiting > 0U)) {
        const int last = (y == y1) ? 1 : 0;

        if (last == 0) {
            y = find_run(p, job, in, out, y, y1);
        }
        if (job->waiting > 0U) {
            let_wait(job);
        }
        if ((job->waiting == 4U) || (last != 0)) {
            take_waiting(job);
            settle(job);
        }
        if (job->count >= 4U) {
            take(job);
        }
        let_wait(job);
    }
    for (y = y0; ((p->act_min > -128) || (p->act_max < 127)) && (y < y1); y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < ((size_t)p->out_w * p->out_c); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}
