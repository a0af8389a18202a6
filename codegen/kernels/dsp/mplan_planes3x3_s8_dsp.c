/* SPDX-License-Identifier: 0BSD */
#include "mplan_planes3x3_s8_dsp.h"

#include "mplan_row_pairs_dsp.h"

#define CHANNEL_WORDS (8U) /* packed */

/* What `four_channels` needs, copied to its stack frame: the offsets stand in the assembly. */
typedef struct {
    int32_t multiplier;             /*  0: of the channel */
    int32_t zero_point;             /*  4: of the output */
    int8_t *out;                    /*  8: moves on */
    uint32_t apart;                 /* 12: bytes from column to column of the output */
    uint32_t below;                 /* 16: to the row below */
    const uint32_t *end;            /* 20: of the columns that come in twos, in the upper plane */
    int32_t bias;                   /* 24: of the channel */
    const mplan_place_t *place;     /* 28: of the next two rows */
    const mplan_place_t *place_end; /* 32 */
    uint32_t plane;                 /* 36: bytes */
    const int32_t *packed;          /* 40: of the next channel */
    const uint32_t *planes;         /* 44: its words of the first plane */
    uint32_t number;                /* 48: of the channel */
    uint32_t odd;                   /* 52: columns */
    const mplan_place_t *places;    /* 56 */
    const int32_t *packed_end;      /* 60 */
    uint32_t twos;                  /* 64: bytes of columns that come in twos */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, multiplier, 0U) && MPLAN_AT(job_t, zero_point, 4U) &&
                        MPLAN_AT(job_t, out, 8U) && MPLAN_AT(job_t, apart, 12U) &&
                        MPLAN_AT(job_t, below, 16U) && MPLAN_AT(job_t, end, 20U) &&
                        MPLAN_AT(job_t, bias, 24U) && MPLAN_AT(job_t, place, 28U) &&
                        MPLAN_AT(job_t, place_end, 32U) && MPLAN_AT(job_t, plane, 36U) &&
                        MPLAN_AT(job_t, packed, 40U) && MPLAN_AT(job_t, planes, 44U) &&
                        MPLAN_AT(job_t, number, 48U) && MPLAN_AT(job_t, odd, 52U) &&
                        MPLAN_AT(job_t, places, 56U) && MPLAN_AT(job_t, packed_end, 60U) &&
                        MPLAN_AT(job_t, twos, 64U) && (sizeof(job_t) == 68U));

/* A column of four rows (r2, r3), of sums above and below: the first one begins with the bias. */
#define BEGIN(above, below)                                                                        \
    "smlad " above ", r2, r4, lr; smlatb " below ", r2, r4, lr\n"                                  \
    "smlabt " above ", r3, r5, " above "; smlad " below ", r3, r5, " below "\n"

#define GO_ON(above, below, w01, w12)                                                              \
    "smlad " above ", r2, " w01 ", " above "; smlatb " below ", r2, " w01 ", " below "\n"          \
    "smlabt " above ", r3, " w12 ", " above "; smlad " below ", r3, " w12 ", " below "\n"

/*
 * Four channels of a strip: two rows by two columns at a time, in two planes whose words (r0, r1)
 * are rows 0 and 1, and 2 and 3. 36 multiply-accumulates are 24 dual or single ones. r4 to r9 are
 * the weights {w0x, w1x}, {w1x, w2x}. Of a last column there is one alone. The lower row is written
 * first: where it does not exist, the upper one overwrites it.
 */
static MPLAN_NAKED void four_channels(__attribute__((unused)) const job_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, #68; mov r1, sp; ldm r0!, {r2-r10}; stm r1!, {r2-r10}\n"
        "ldm r0, {r2-r9}; stm r1, {r2-r9}\n"
        "0:\n" /* a channel */
        "ldr r2, [sp, #40]; ldr r0, [sp, #44]; ldr r1, [sp, #36]; ldm r2!, {r4-r11}\n"
        "str r2, [sp, #40]; str r10, [sp, #24]; str r11, [sp]; add r1, r1, r0; add r2, r0, #4\n"
        "str r2, [sp, #44]; ldr r2, [sp, #56]\n"
        "1:\n" /* two rows */
        "ldm r2!, {r10, r11}; ldr r3, [sp, #48]; ldr.w r12, [sp, #64]; str r2, [sp, #28]\n"
        "add r10, r10, r3; str r10, [sp, #8]; str r11, [sp, #16]; add r12, r12, r0\n"
        "str r12, [sp, #20]\n"
        ".balign 4\n2:\n"
        "ldr.w lr, [sp, #24]; ldr.w r2, [r0], #32; ldr.w r3, [r1], #32\n" BEGIN("r10", "r12")
        "ldr.w r2, [r0, #-16]; ldr.w r3, [r1, #-16]\n" GO_ON("r10", "r12", "r6", "r7")
        BEGIN("r11", "lr")
        "ldr r2, [r0]; ldr r3, [r1]\n" GO_ON("r10", "r12", "r8", "r9")
        GO_ON("r11", "lr", "r6", "r7")
        "ldr r2, [r0, #16]; ldr r3, [r1, #16]\n" GO_ON("r11", "lr", "r8", "r9")
        "ldr r2, [sp]; ldr r3, [sp, #4]; smmlar r10, r10, r2, r3; smmlar r11, r11, r2, r3\n"
        "smmlar r12, r12, r2, r3; smmlar lr, lr, r2, r3; ldr r2, [sp, #8]; ldr r3, [sp, #16]\n"
        "ssat r12, #8, r12; ssat lr, #8, lr; ssat r10, #8, r10; ssat r11, #8, r11\n"
        "add.w r3, r3, r2; strb.w r12, [r3]; ldr.w r12, [sp, #12]; strb.w lr, [r3, r12]\n"
        "strb.w r10, [r2]; strb.w r11, [r2, r12]; add.w r2, r2, r12, lsl #1; ldr.w r3, [sp, #20]\n"
        "str r2, [sp, #8]; cmp r0, r3; bne.w 2b\n"
        "ldr r2, [sp, #52]; cmp r2, #0; beq 3f\n"
        "ldr.w lr, [sp, #24]; ldr.w r2, [r0], #16; ldr.w r3, [r1], #16\n" BEGIN("r10", "r12")
        "ldr r2, [r0]; ldr r3, [r1]\n" GO_ON("r10", "r12", "r6", "r7")
        "ldr r2, [r0, #16]; ldr r3, [r1, #16]\n" GO_ON("r10", "r12", "r8", "r9")
        "ldr r2, [sp]; ldr r3, [sp, #4]; smmlar r10, r10, r2, r3; smmlar r12, r12, r2, r3\n"
        "ldr r2, [sp, #8]; ldr r3, [sp, #16]; ssat r12, #8, r12; ssat r10, #8, r10\n"
        "strb r12, [r2, r3]; strb r10, [r2]\n"
        "3:\n"
        "add r0, r0, #32; add r1, r1, #32; ldr r2, [sp, #28]; ldr r3, [sp, #32]; cmp r2, r3\n"
        "bne.w 1b\n"
        "ldr r0, [sp, #48]; ldr r2, [sp, #40]; ldr r3, [sp, #60]; add r0, r0, #1\n"
        "str r0, [sp, #48]; cmp r2, r3; bne.w 0b\n"
        "add sp, #68; pop {r4-r11, pc}\n");
}

MPLAN_KERNEL
void mplan_planes3x3_s8_dsp(const mplan_planes3x3_s8_dsp_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch)
{
    mplan_place_t *const places = (mplan_place_t *)(void *)scratch;
    mplan_pair_t *const pairs = (mplan_pair_t *)(void *)&places[p->strip];
    uint32_t *const planes = (uint32_t *)(void *)&pairs[p->strip + 1U];
    mplan_planes_t from;
    job_t job;
    size_t count = 0U;

    from.rows = &p->in_rows;
    from.in = in;
    from.height = p->in_h;
    from.width = p->in_w;
    from.channels = p->channels;
    from.columns = (uint32_t)p->out_w + 2U;
    from.before = p->pad_left;
    mplan_pad_planes(&from, planes, (size_t)p->strip + 1U, p->in_zero_point);
    job.zero_point = p->out_zero_point;
    job.apart = p->channels;
    job.plane = from.columns * MPLAN_PLANE_COLUMN * (uint32_t)sizeof(uint32_t);
    job.odd = (uint32_t)p->out_w % 2U;
    job.twos = (p->out_w - job.odd) * MPLAN_PLANE_COLUMN * (uint32_t)sizeof(uint32_t);
    job.places = places;
    for (size_t y = y0; y < y1; y += 2U * count) {
        count = mplan_find_places(&p->out_rows, out, y, y1, places, p->strip);
        job.place_end = &places[count];
        mplan_find_pairs(&from, pairs, count + 1U, (int32_t)y - (int32_t)p->pad_top);
        for (size_t c = 0U; c < p->channels; c += 4U) {
            const size_t first = ((c + 4U) <= p->channels) ? c : ((size_t)p->channels - 4U);

            mplan_fill_planes(pairs, &pairs[count + 1U], &planes[from.before * MPLAN_PLANE_COLUMN],
                              first, from.width, job.plane - (from.width * 16U));
            job.packed = &p->packed[first * CHANNEL_WORDS];
            job.packed_end = &job.packed[4U * CHANNEL_WORDS];
            job.planes = planes;
            job.number = (uint32_t)first;
            four_channels(&job);
        }
    }
    for (size_t y = y0; y < y1; y++) {
        mplan_limit_row(&out[mplan_row(&p->out_rows, y)], (size_t)p->out_w * p->channels,
                        p->act_min, p->act_max);
    }
}
