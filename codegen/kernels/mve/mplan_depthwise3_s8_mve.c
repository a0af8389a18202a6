/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_columns_s8_mve.h"
#include "mplan_depthwise3_s8_mve.h"

#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* What `pixels` reads; the offsets stand in the assembly. */
typedef struct {
    const int8_t *columns;     /*  0: of the first pixel: [column][LANES][QUAD] for some lanes */
    int8_t *out;               /*  4: of the second pixel, first channel */
    const int32_t *packed;     /*  8: of the first channel */
    uint32_t fours;            /* 12: channels / 4 */
    uint32_t pairs;            /* 16: pixels / 2 */
    uint32_t odd;              /* 20: 1: there is a pixel more */
    uint32_t channels;         /* 24: bytes from pixel to pixel */
    int32_t zero_point;        /* 28 */
    uint32_t below;            /* 32: bytes to the other row, 0: there is none */
    uint32_t skip;             /* 36: bytes from behind some lanes to the next */
    int8_t low[MPLAN_LANES];   /* 40 */
    int8_t high[MPLAN_LANES];  /* 56 */
    int8_t blank[MPLAN_LANES]; /* what rows outside the input read as */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, columns, 0U) && MPLAN_AT(job_t, out, 4U) &&
                    MPLAN_AT(job_t, packed, 8U) && MPLAN_AT(job_t, fours, 12U) &&
                    MPLAN_AT(job_t, pairs, 16U) && MPLAN_AT(job_t, odd, 20U) &&
                    MPLAN_AT(job_t, channels, 24U) && MPLAN_AT(job_t, zero_point, 28U) &&
                    MPLAN_AT(job_t, below, 32U) && MPLAN_AT(job_t, skip, 36U) &&
                    MPLAN_AT(job_t, low, 40U) && MPLAN_AT(job_t, high, 56U));

/*
 * A channel of two pixels in two rows: two gathers of four words, each for two rows. What stands
 * beside the multiplications overlaps them: the sums of channels before, on their way.
 */
#define CHANNEL(gather0, gather1, beside0, beside1, beside2, beside3)                              \
    beside0 "vldrw.u32 q7, " gather0 "\n" beside1                                                  \
    "vmladav.s8 r0, q7, q4; vldrb.8 q5, [r3], #16\n"                                              \
    "vmladav.s8 r2, q7, q5; vldrw.u32 q7, " gather1 "; vmladav.s8 r4, q7, q4\n" beside2            \
    "vmladav.s8 r6, q7, q5\n" beside3

#define NEXT "vldrb.8 q4, [r3], #16\n"

#define LOWER(half) "vmov " half ", r0, r2\n" /* half of a vector of sums */
#define UPPER(half) "vmov " half ", r4, r6\n"
#define BIASED(sums, bias) "vadd.i32 " sums ", " sums ", " bias "\n"
#define SCALED(sums) "vldrw.32 q5, [r3], #16; vrmulh.s32 " sums ", " sums ", q5\n"

/*
 * Four channels at a time, along the row two pixels of two rows. A vector of sums, q0 to q3, is
 * one channel (0, 2, 1, 3) of the four pixels; narrowed twice, channels 0 to 3 of a pixel are a
 * word. A missing pixel has the place of one that is written after it.
 */
#define PIXELS(start, limits0, limits1, limits2, place, store)                                     \
    "push {r4-r11, lr}; vpush {d8-d15}; sub sp, #52\n"                                             \
    "ldm r0, {r1, r2, r3, r4, r5, r6}; ldrd r12, r8, [r0, #24]; ldrd r7, r10, [r0, #32]\n"         \
    "subs r1, #128; sub r2, r2, r12, lsl #1; mov r9, #0x88888888; strd r1, r2, [sp]\n"             \
    "strd r4, r9, [sp, #8]; strd r6, r12, [sp, #16]; strd r5, r10, [sp, #24]\n"                    \
    "str r0, [sp, #32]; mov r5, r8\n" start                                                        \
    "1:\n" /* four channels */                                                                     \
    "ldrd r4, r1, [sp]; movs r6, #0; vidup.u32 q6, r6, #8; vshl.i32 q6, q6, #3\n"                  \
    "ldm r3!, {r8-r11}; ldr lr, [sp, #24]; vadd.i32 q6, q6, r4; adds r4, #16; adds r6, r1, #4\n"   \
    "strd r4, r6, [sp]; wls lr, lr, 3f\n"                                                          \
    "2:\n" /* two pixels */                                                                        \
    NEXT CHANNEL("[q6, #128]!", "[q6, #64]", "add r1, r1, r12, lsl #1\n", "", NEXT, "")            \
    CHANNEL("[q6, #8]", "[q6, #72]", LOWER("d0"), UPPER("d1"), BIASED("q0", "r8"), SCALED("q0"))   \
    NEXT CHANNEL("[q6, #4]", "[q6, #68]", LOWER("d2"), UPPER("d3"), BIASED("q1", "r9"),            \
                 SCALED("q1"))                                                                     \
    NEXT CHANNEL("[q6, #12]", "[q6, #76]", LOWER("d4") "vqmovnb.s32 q0, q0\n",                     \
                 UPPER("d5") "vqmovnt.s32 q0, q1\n", BIASED("q2", "r10"), SCALED("q2"))            \
    LOWER("d6") "vqadd.s16 q0, q0, r5\n" UPPER("d7") BIASED("q3", "r11")                           \
    "vldrw.32 q5, [r3], #-176; vqmovnb.s16 q0, q0; vrmulh.s32 q3, q3, q5\n"                        \
    "vqmovnb.s32 q2, q2\n" limits0 "vqmovnt.s32 q2, q3\n" place                                   \
    "vqadd.s16 q2, q2, r5\n" limits1 "vqmovnt.s16 q0, q2\n" limits2                               \
    store                                                                                          \
    "le lr, 2b\n"                                                                                  \
    "3: ldr r4, [sp, #16]; cbz r4, 4f; cmp r12, #0; beq 4f\n"                                      \
    "add r1, r1, r12; mov r12, #0; dls lr, r4; b.w 2b\n"                                           \
    "4: ldrd r4, r6, [sp, #8]; ldr r12, [sp, #20]; adds r3, #192; rors.w r6, r6, #1; bcc 5f\n"     \
    "ldr r0, [sp]; ldr r2, [sp, #28]; add r0, r0, r2; str r0, [sp]\n" /* every fourth time */      \
    "5: subs r4, #1; strd r4, r6, [sp, #8]; bne.w 1b\n"                                            \
    "add sp, #52; vpop {d8-d15}; pop {r4-r11, pc}\n"

/* A word to each pixel; a place may begin at any byte. */
#define PLACE "sub r2, r1, r12\n"
#define STORE                                                                                      \
    "vmov r0, r4, d1; str r4, [r1, r7]; str r0, [r1]\n"                                            \
    "vmov r0, r4, d0; str r4, [r2, r7]; str r0, [r2]\n"

static NAKED void pixels(UNREAD const job_t *job)
{
    __asm volatile(PIXELS("", "", "", "", PLACE, STORE));
}

/* The same with limits that are not those of int8. */
static NAKED void limited_pixels(UNREAD const job_t *job)
{
    __asm volatile(PIXELS("", "ldr r4, [sp, #32]; vldrw.32 q4, [r4, #40]\n",
                          "vldrw.32 q5, [r4, #56]\n",
                          "vmax.s8 q0, q0, q4; vmin.s8 q0, q0, q5\n", PLACE, STORE));
}

/* The first where no pixel is missing, and places are aligned to 4. */
static NAKED void aligned_pixels(UNREAD const job_t *job)
{
    __asm volatile(PIXELS("rsb r2, r12, #0; sub r4, r7, r12; strd r2, r4, [sp, #36]\n"
                          "movs r2, #0; strd r2, r7, [sp, #44]\n",
                          "", "", "", "vldrw.32 q4, [sp, #36]\n", "vstrw.32 q0, [r1, q4]\n"));
}

/* Four rows from `down` on, of which columns from `begin` on lie inside. */
static void start_rows(const mplan_depthwise3_s8_mve_t *p, const job_t *job, const int8_t *in,
                       mplan_columns_t *rows, int32_t down, size_t begin)
{
    const size_t at = (begin - p->pad_left) * p->channels;

    rows->channels = p->channels;
    for (size_t i = 0U; i < MPLAN_QUAD; i++) {
        const int32_t y = down + (int32_t)i;
        const int inside = ((y >= 0) && (y < (int32_t)p->in_h)) ? 1 : 0;

        rows->from[i] = (inside != 0) ? &in[mplan_row(&p->in_rows, (size_t)y) + at] : job->blank;
        rows->apart[i] = (inside != 0) ? p->channels : 0U;
        rows->next[i] = (inside != 0) ? MPLAN_LANES : 0U;
    }
}

MPLAN_KERNEL
void mplan_depthwise3_s8_mve(const mplan_depthwise3_s8_mve_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1, int8_t *scratch)
{
    const size_t count = (size_t)p->out_w + p->kernel_w - 1U; /* columns */
    const size_t part = MPLAN_WORD_BYTES * ((size_t)p->out_w + 4U);
    const size_t begin = (p->pad_left < count) ? p->pad_left : count;
    const size_t width = (size_t)p->in_w + p->pad_left;
    const size_t end = (width < count) ? width : count;
    mplan_columns_t rows;
    job_t job = {.columns = scratch, .packed = p->packed, .fours = p->channels / MPLAN_QUAD};

    vstrbq_s8(job.low, vdupq_n_s8(p->act_min));
    vstrbq_s8(job.high, vdupq_n_s8(p->act_max));
    vstrbq_s8(job.blank, vdupq_n_s8(p->in_zero_point));
    job.pairs = (uint32_t)p->out_w / 2U;
    job.odd = (uint32_t)p->out_w % 2U;
    job.channels = p->channels;
    job.skip = (uint32_t)(part - MPLAN_WORD_BYTES);
    job.zero_point = p->out_zero_point;
    rows.column = MPLAN_WORD_BYTES;
    rows.count = end - begin;
    rows.guarded = (p->channels < (MPLAN_LANES / 2U)) ? rows.count : 1U;
    for (size_t c = 0U; c < p->channels; c += MPLAN_LANES) {
        int8_t *const columns = &scratch[part * (c / MPLAN_LANES)];

        mplan_blank(p->in_zero_point, columns, begin * MPLAN_WORD_BYTES);
        mplan_blank(p->in_zero_point, &columns[end * MPLAN_WORD_BYTES],
                    (count - end) * MPLAN_WORD_BYTES);
    }
    for (size_t y = y0; y < y1; y += 2U) {
        const size_t at = mplan_row(&p->out_rows, y);

        start_rows(p, &job, in, &rows, (int32_t)y - (int32_t)p->pad_top, begin);
        rows.to = &scratch[begin * MPLAN_WORD_BYTES];
        for (size_t c = 0U; (c < p->channels) && (begin < end); c += MPLAN_LANES) {
            mplan_weave(&rows);
            rows.to = &rows.to[part];
        }
        job.below = ((y + 1U) < y1) ? (uint32_t)(mplan_row(&p->out_rows, y + 1U) - at) : 0U;
        job.out = &out[at + p->channels];
        if ((p->act_min > -128) || (p->act_max < 127)) {
            limited_pixels(&job);
        } else if ((job.odd == 0U) && (job.below != 0U) &&
                   ((((uintptr_t)job.out | job.below) % MPLAN_QUAD) == 0U)) {
            aligned_pixels(&job);
        } else {
            pixels(&job);
        }
    }
}
