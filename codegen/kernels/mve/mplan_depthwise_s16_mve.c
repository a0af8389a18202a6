/* SPDX-License-Identifier: 0BSD */
#include "mplan_columns_s16_mve.h"
#include "mplan_depthwise_s16_mve.h"

#define KERNEL_ROWS (16U)
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* A row of outputs. The offsets stand in the assembly. */
typedef struct {
    const int32_t *packed; /*  0 */
    int16_t *out;          /*  4 */
    uint32_t apart;        /*  8: bytes from pixel to pixel */
    uint32_t stride;       /* 12: bytes from window to window */
    uint32_t pixels;       /* 16 */
    uint32_t kernel_w;     /* 20 */
    uint32_t channels;     /* 24 */
    uint32_t zero_point;   /* 28 */
    uint32_t shifts;       /* 32: 0: none */
    int32_t act_min;       /* 36 */
    int32_t act_max;       /* 40 */
    uint32_t kernel_h;     /* 44 */
    const int8_t *lines[KERNEL_ROWS]; /* 48: under the windows of the row, padding and all */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, packed, 0U) && MPLAN_AT(job_t, out, 4U) &&
                        MPLAN_AT(job_t, apart, 8U) && MPLAN_AT(job_t, stride, 12U) &&
                        MPLAN_AT(job_t, pixels, 16U) && MPLAN_AT(job_t, kernel_w, 20U) &&
                        MPLAN_AT(job_t, channels, 24U) && MPLAN_AT(job_t, zero_point, 28U) &&
                        MPLAN_AT(job_t, shifts, 32U) && MPLAN_AT(job_t, act_min, 36U) &&
                        MPLAN_AT(job_t, act_max, 40U) && MPLAN_AT(job_t, kernel_h, 44U) &&
                        MPLAN_AT(job_t, lines, 48U));

/* Eight channels at a time, of these pixel by pixel: sums of even ones in q4, of odd ones in q5. */
#define BEGIN                                                                                      \
    "push {r4-r11, lr}; vpush {d8-d15}; ldrd r8, r5, [r0]; ldrd r4, r10, [r0, #8]\n"               \
    "ldrd r12, r9, [r0, #20]; ldrd r2, r1, [r0, #36]; vdup.16 q6, r2; vdup.16 q7, r1\n"            \
    "mov r11, #0\n"                                                                                \
    "1: ldr r7, [r0, #16]; mov r3, r11; push {r5, r9}\n"                                           \
    "2: mov r1, r8; vldrw.32 q4, [r1], #16; add r2, r0, #48; vldrw.32 q5, [r1], #16\n"             \
    "vmov.i32 q3, #0\n"

/* A tap; products of odd channels wait in q3 for the next one. Scalars stand beside vectors. */
#define TAP(beside, beside2)                                                                       \
    "vldrh.16 q0, [r1], #16; vadd.i32 q5, q5, q3; vldrh.16 q1, [r6]; vmullb.s16 q2, q1, q0\n"      \
    beside "; vmullt.s16 q3, q1, q0; " beside2 "vadd.i32 q4, q4, q2\n"
#define ON "add r6, r6, r4"
#define LINE "ldr r6, [r2], #4"
#define PLACE "add r6, r6, r3; "

#define END                                                                                        \
    "ldrd r6, r2, [r0, #28]; vadd.i32 q5, q5, q3; cbnz r2, 6f\n"                                   \
    "5: vldrw.32 q0, [r1], #16; vrmulh.s32 q4, q4, q0; vldrw.32 q1, [r1], #16\n"                   \
    "vrmulh.s32 q5, q5, q1; vadd.i32 q4, q4, r6; ldr r2, [sp, #4]; vctp.16 r2\n"                   \
    "vadd.i32 q5, q5, r6; add r3, r3, r10; vqmovnb.s32 q0, q4\n"                                   \
    "subs r7, r7, #1; vqmovnt.s32 q0, q5; vmax.s16 q0, q0, q6\n"                                   \
    "vmin.s16 q0, q0, q7; vpst; vstrht.16 q0, [r5]; add r5, r5, r4; bne.w 2b\n"                    \
    "pop {r5, r9}; mov r8, r1; add r11, r11, #16; adds r5, r5, #16; subs r9, r9, #8\n"             \
    "bgt.w 1b\n"                                                                                   \
    "vpop {d8-d15}; pop {r4-r11, pc}\n"                                                            \
    "6: vldrw.32 q0, [r1], #16; vshl.s32 q4, q4, q0\n"                                             \
    "vldrw.32 q0, [r1], #16; vshl.s32 q5, q5, q0; b 5b\n"

/* Any window. */
static NAKED void outputs(UNREAD const job_t *job)
{
    __asm volatile(BEGIN "ldr r9, [r0, #44]\n"
                         "3: " LINE "; " PLACE "dls lr, r12\n"
                         "4: " TAP(ON, "") "le lr, 4b\n"
                         "subs r9, r9, #1; bne 3b\n" END);
}

static NAKED void outputs3x3(UNREAD const job_t *job)
{
    __asm volatile(BEGIN LINE "; " PLACE "\n"
                   TAP(ON, "") TAP(ON, "") TAP(LINE, PLACE)
                   TAP(ON, "") TAP(ON, "") TAP(LINE, PLACE)
                   TAP(ON, "") TAP(ON, "") TAP("nop", "") END);
}

/* Rows of the input with what pads them, as many as a window has: one behind the other, in turn. */
typedef struct {
    int8_t *rows;
    size_t row_bytes;
    size_t left;  /* elements of padding */
    size_t whole; /* of the input */
    size_t right; /* of padding, where it is not negative */
    int32_t next; /* row of the input that is not there yet */
} held_t;

static void hold(const mplan_depthwise_s16_mve_t *p, held_t *held, const int8_t *in, int32_t y,
                 int8_t *to)
{
    const size_t behind = held->left + held->whole;

    if ((y < 0) || (y >= (int32_t)p->in_h)) {
        mplan_fill_run(to, behind + held->right, p->in_zero_point);
    } else {
        mplan_fill_run(to, held->left, p->in_zero_point);
        mplan_copy_run(&in[mplan_row(&p->in_rows, (size_t)y)], &to[held->left * sizeof(int16_t)],
                       held->whole);
        mplan_fill_run(&to[behind * sizeof(int16_t)], held->right, p->in_zero_point);
    }
}

/* The lines under the windows of output row y, those that are new among them copied. */
static void lines_under(const mplan_depthwise_s16_mve_t *p, held_t *held, const int8_t *in,
                        size_t y, const int8_t **lines)
{
    const int32_t top = (int32_t)(y * p->stride_h) - (int32_t)p->pad_top;

    for (size_t i = 0U; i < p->kernel_h; i++) {
        const int32_t row = top + (int32_t)i;
        const size_t turn = (size_t)(row + (int32_t)p->pad_top) % p->kernel_h;
        int8_t *const place = &held->rows[turn * held->row_bytes];

        if (row >= held->next) {
            hold(p, held, in, row, place);
            held->next = row + 1;
        }
        lines[i] = place;
    }
}

MPLAN_KERNEL
void mplan_depthwise_s16_mve(const mplan_depthwise_s16_mve_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1, int8_t *scratch)
{
    const size_t channels = p->channels;
    const size_t width = (((size_t)p->out_w - 1U) * p->stride_w) + p->kernel_w;
    const size_t inside = (width > p->pad_left) ? (width - p->pad_left) : 0U;
    held_t held = {.rows = scratch, .row_bytes = width * channels * sizeof(int16_t)};
    job_t job;

    held.left = (width - inside) * channels;
    held.whole = ((inside < p->in_w) ? inside : p->in_w) * channels;
    held.right = (width * channels) - held.left - held.whole;
    held.next = INT32_MIN;
    job.packed = p->packed;
    job.apart = (uint32_t)(channels * sizeof(int16_t));
    job.stride = job.apart * p->stride_w;
    job.pixels = p->out_w;
    job.kernel_w = p->kernel_w;
    job.channels = (uint32_t)channels;
    job.zero_point = (uint32_t)(int32_t)p->out_zero_point;
    job.shifts = p->shifts;
    job.act_min = p->act_min;
    job.act_max = p->act_max;
    job.kernel_h = p->kernel_h;
    for (size_t y = y0; y < y1; y++) {
        job.out = (int16_t *)(void *)&out[mplan_row(&p->out_rows, y)];
        lines_under(p, &held, in, y, job.lines);
        if ((p->kernel_h == 3U) && (p->kernel_w == 3U)) {
            outputs3x3(&job);
        } else {
            outputs(&job);
        }
    }
}
