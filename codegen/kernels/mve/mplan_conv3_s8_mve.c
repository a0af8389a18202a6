/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_conv3_s8_mve.h"
#include "mplan_windows.h"

#define LANES (16U)
#define PIXELS (4U)  /* computed together */
#define COLUMNS (6U) /* under their windows */
#define PLACES (8U)  /* of outputs that leave together */
#define KERNEL_ROWS (16U)
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* What `tile` reads; the offsets stand in the assembly. */
typedef struct {
    const int32_t *packed;   /*  0 */
    const int8_t *columns;   /*  4: [triples][3][COLUMNS][LANES] */
    int8_t *out;             /*  8: of the first pixel and channel */
    uint32_t pairs;          /* 12: of channels */
    uint32_t triples;        /* 16: of vectors of a column, of all kernel rows */
    int32_t zero_point;      /* 20 */
    int32_t act_min;         /* 24 */
    int32_t act_max;         /* 28 */
    uint16_t places[PLACES]; /* 32: of a pair in four pixels, as its sums are narrowed */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, packed, 0U) && MPLAN_AT(job_t, columns, 4U) &&
                    MPLAN_AT(job_t, out, 8U) && MPLAN_AT(job_t, pairs, 12U) &&
                    MPLAN_AT(job_t, triples, 16U) && MPLAN_AT(job_t, zero_point, 20U) &&
                    MPLAN_AT(job_t, act_min, 24U) && MPLAN_AT(job_t, act_max, 28U) &&
                    MPLAN_AT(job_t, places, 32U));

#define LOAD_A "vldrb.8 q0, [r9], #16\n"
#define LOAD_B "vldrb.8 q1, [r9], #16\n"
#define COLUMN(q) "vldrb.8 " q ", [r11], #16\n"
#define A(sum, q) "vmladava.s8 " sum ", q0, " q "\n"
#define B(sum, q) "vmladava.s8 " sum ", q1, " q "\n"

/* One column of weights of two channels on four columns of inputs, which are there. */
#define SHIFTED(q0, q1, q2, next, q3)                                                              \
    LOAD_A A("r0", q0) LOAD_B B("r2", q0) next A("r4", q1) B("r6", q1) A("r8", q2) B("r10", q2)    \
        A("r12", q3) B("lr", q3)

/* Four pixels by two output channels: 384 multiply-accumulates with 12 loads. */
#define VECTOR                                                                                     \
    LOAD_A COLUMN("q2") A("r0", "q2") LOAD_B B("r2", "q2")                                         \
    COLUMN("q3") A("r4", "q3") B("r6", "q3")                                                       \
    COLUMN("q4") A("r8", "q4") B("r10", "q4")                                                      \
    COLUMN("q5") A("r12", "q5") B("lr", "q5")                                                      \
    SHIFTED("q3", "q4", "q5", COLUMN("q2"), "q2")                                                  \
    SHIFTED("q4", "q5", "q2", COLUMN("q3"), "q3")

/* Eight accumulators take all even registers: the loop counts in an odd one, and is unrolled. */
static NAKED void tile(UNREAD const job_t *job)
{
    __asm volatile("push {r4-r11, lr}; vpush {d8-d15}; sub sp, #28\n"
                   "ldrd r9, r11, [r0]; ldrd r1, r5, [r0, #8]; ldrd r4, r7, [r0, #16]\n"
                   "ldrd r6, r8, [r0, #24]; vldrh.16 q0, [r0, #32]\n"
                   "strd r11, r4, [sp]; vstrh.16 q0, [sp, #8]; vdup.16 q6, r6; vdup.16 q7, r8\n"
                   "1:\n" /* two channels, from their biases on */
                   "ldrd r0, r2, [r9]; ldrd r4, r6, [r9]; ldrd r8, r10, [r9]\n"
                   "ldrd r12, lr, [r9], #8; ldrd r11, r3, [sp]\n"
                   "2:\n" VECTOR VECTOR VECTOR "subs r3, #1; bne.w 2b\n"
                   "vmov d0, r0, r2; vmov d1, r4, r6; vmov d2, r8, r10; vmov d3, r12, lr\n"
                   "vldrw.32 q2, [r9], #16; vrmulh.s32 q0, q0, q2; vrmulh.s32 q1, q1, q2\n"
                   "vqmovnb.s32 q0, q0; vqmovnt.s32 q0, q1; vldrh.16 q1, [sp, #8]\n"
                   "vqadd.s16 q0, q0, r7; vmax.s16 q0, q0, q6; vmin.s16 q0, q0, q7\n"
                   "vstrb.16 q0, [r1, q1]; adds r1, #2; subs r5, #1; bne.w 1b\n"
                   "add sp, #28; vpop {d8-d15}; pop {r4-r11, pc}\n");
}

/* Sixteen channels in turn of the columns at r4 to r9, as many as r11 says, to r3. */
#define MOVE                                                                                       \
    "dlstp.8 lr, r11\n"                                                                            \
    "2: vldrb.8 q0, [r4], #16; vldrb.8 q1, [r5], #16; vldrb.8 q2, [r6], #16\n"                     \
    "vstrb.8 q0, [r3], #16; vldrb.8 q0, [r7], #16; vstrb.8 q1, [r3], #16\n"                        \
    "vldrb.8 q1, [r8], #16; vstrb.8 q2, [r3], #16; vldrb.8 q2, [r9], #16\n"                        \
    "vstrb.8 q0, [r3], #16; vstrb.8 q1, [r3], #16; vstrb.8 q2, [r3], #16; letp lr, 2b\n"

/* Columns from byte `at` of every line on, all inside. */
static NAKED void move_inside(UNREAD const int8_t *const *lines, UNREAD size_t rows,
                              UNREAD size_t at, UNREAD int8_t *to, UNREAD size_t channels)
{
    __asm volatile("push {r4-r9, r11, lr}; ldr r11, [sp, #32]\n"
                   "1: ldr r4, [r0], #4; add r4, r4, r2; add r5, r4, r11; add r6, r5, r11\n"
                   "add r7, r6, r11; add r8, r7, r11; add r9, r8, r11\n" MOVE
                   "subs r1, #1; bne 1b; pop {r4-r9, r11, pc}\n");
}

/* A column, the place of padding where its bit of r12 is 0, and on to the next. */
#define SELECT(column) "lsrs r12, r12, #1; csel " column ", r10, lr, cs; add r10, r10, r11\n"

/* The same with padding where a line is NULL, and in columns whose bit of `inside` is 0. */
static NAKED void move_border(UNREAD const int8_t *const *lines, UNREAD size_t rows,
                              UNREAD int32_t at, UNREAD int8_t *to, UNREAD size_t channels,
                              UNREAD uint32_t inside, UNREAD const int8_t *padding)
{
    __asm volatile("push {r4-r11, lr}; ldr r11, [sp, #36]\n"
                   "1: ldr r10, [r0], #4; ldrd r12, lr, [sp, #40]; cmp r10, #0; it eq\n"
                   "moveq r12, #0; add r10, r10, r2\n"
                   SELECT("r4") SELECT("r5") SELECT("r6") SELECT("r7") SELECT("r8") SELECT("r9")
                   MOVE "subs r1, #1; bne 1b; pop {r4-r11, pc}\n");
}

/* Which of the columns from x on lie inside, a bit for each. */
static uint32_t columns_inside(const mplan_conv3_s8_mve_t *p, int32_t x)
{
    const uint32_t begin = (uint32_t)mplan_clamp(-x, 0, (int32_t)COLUMNS);
    const uint32_t end = (uint32_t)mplan_clamp((int32_t)p->in_w - x, 0, (int32_t)COLUMNS);

    return ((1U << end) - 1U) & ~((1U << begin) - 1U);
}

/* Places of a pair of channels in four pixels, sums 0 and 1 below sums 2 and 3 of each word. */
static void set_places(job_t *job, uint16_t apart)
{
    for (size_t i = 0U; i < PLACES; i++) {
        const size_t pixel = (2U * (i % 2U)) + (i / 4U);

        job->places[i] = (uint16_t)((pixel * apart) + ((i / 2U) % 2U));
    }
}

MPLAN_KERNEL
void mplan_conv3_s8_mve(const mplan_conv3_s8_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                        size_t y1, int8_t *scratch)
{
    const size_t groups = ((size_t)p->in_c + LANES - 1U) / LANES;
    int8_t *const columns = &scratch[LANES * groups]; /* behind a pixel of padding */
    job_t job = {.packed = p->packed, .columns = columns};

    job.pairs = (uint32_t)p->out_c / 2U;
    job.triples = (uint32_t)(groups * p->kernel_h / 3U);
    job.zero_point = p->out_zero_point;
    job.act_min = p->act_min;
    job.act_max = p->act_max;
    set_places(&job, p->out_c);
    for (size_t i = 0U; i < (LANES * groups); i += LANES) {
        vstrbq_s8(&scratch[i], vdupq_n_s8(p->in_zero_point));
    }
    for (size_t y = y0; y < y1; y++) {
        const int8_t *lines[KERNEL_ROWS];
        const int32_t top = (int32_t)(y * p->stride_h) - (int32_t)p->pad_top;
        const int whole = mplan_lines_under(&p->in_rows, in, p->in_h, top, p->dilation_h,
                                            p->kernel_h, lines);
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];
        size_t x = 0U;

        while (x < p->out_w) {
            const size_t last = (size_t)p->out_w - PIXELS;
            const size_t first = (x < last) ? x : last; /* the last four may be computed twice */
            const int32_t at = (int32_t)first - (int32_t)p->pad_left;

            if (whole && (at >= 0) && ((at + (int32_t)COLUMNS) <= (int32_t)p->in_w)) {
                move_inside(lines, p->kernel_h, (size_t)at * p->in_c, columns, p->in_c);
            } else {
                move_border(lines, p->kernel_h, at * (int32_t)p->in_c, columns, p->in_c,
                            columns_inside(p, at), scratch);
            }
            job.out = &to[first * p->out_c];
            tile(&job);
            x += PIXELS;
        }
    }
}
