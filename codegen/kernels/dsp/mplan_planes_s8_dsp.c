/* SPDX-License-Identifier: 0BSD */
#include "mplan_planes_s8_dsp.h"

#include "mplan_row_pairs_dsp.h"

#define THREE (3U) /* columns of a block */

/* What `four_channels` needs, copied to its stack frame: the offsets stand in the assembly. */
typedef struct {
    int32_t multiplier;             /*   0: of the channel */
    int32_t zero_point;             /*   4: of the output */
    int8_t *out;                    /*   8: moves on */
    uint32_t apart;                 /*  12: bytes from column to column of the output */
    uint32_t below;                 /*  16: to the row below */
    const uint32_t *end;            /*  20: of the blocks, in the first plane of the row */
    int32_t bias;                   /*  24: of the channel */
    const mplan_place_t *place;     /*  28: of the next two rows */
    const mplan_place_t *place_end; /*  32 */
    uint32_t plane;                 /*  36: bytes */
    const int32_t *packed;          /*  40: of the next channel */
    const uint32_t *planes;         /*  44: its words of the first plane */
    uint32_t number;                /*  48: of the channel */
    const int32_t *weights;         /*  52: of the channel */
    const int32_t *weights_end;     /*  56 */
    uint32_t body;                  /*  60: which kernel and stride; then the address to enter */
    uint32_t back;                  /*  64: from behind the last plane to the next block */
    uint32_t again;                 /*  68: `shift`, until the last block of the row is made */
    const mplan_place_t *places;    /*  72 */
    const int32_t *packed_end;      /*  76 */
    const uint32_t *row;            /*  80: first plane of the row */
    uint32_t advance;               /*  84: bytes of planes from row to row */
    uint32_t blocks;                /*  88: bytes of whole blocks */
    uint32_t shift;                 /*  92: bytes that the last block begins before their end */
    uint32_t out_shift;             /*  96: the same of the output */
    uint32_t block;                 /* 100: bytes */
    uint32_t weights_bytes;         /* 104 */
} job_t;
MPLAN_STATIC_ASSERT(
    job_as_in_assembly,
    MPLAN_AT(job_t, multiplier, 0U) && MPLAN_AT(job_t, zero_point, 4U) &&
        MPLAN_AT(job_t, out, 8U) && MPLAN_AT(job_t, apart, 12U) && MPLAN_AT(job_t, below, 16U) &&
        MPLAN_AT(job_t, end, 20U) && MPLAN_AT(job_t, bias, 24U) && MPLAN_AT(job_t, place, 28U) &&
        MPLAN_AT(job_t, place_end, 32U) && MPLAN_AT(job_t, plane, 36U) &&
        MPLAN_AT(job_t, packed, 40U) && MPLAN_AT(job_t, planes, 44U) &&
        MPLAN_AT(job_t, number, 48U) && MPLAN_AT(job_t, weights, 52U) &&
        MPLAN_AT(job_t, weights_end, 56U) && MPLAN_AT(job_t, body, 60U) &&
        MPLAN_AT(job_t, back, 64U) && MPLAN_AT(job_t, again, 68U) &&
        MPLAN_AT(job_t, places, 72U) && MPLAN_AT(job_t, packed_end, 76U) &&
        MPLAN_AT(job_t, row, 80U) && MPLAN_AT(job_t, advance, 84U) &&
        MPLAN_AT(job_t, blocks, 88U) && MPLAN_AT(job_t, shift, 92U) &&
        MPLAN_AT(job_t, out_shift, 96U) && MPLAN_AT(job_t, block, 100U) &&
        MPLAN_AT(job_t, weights_bytes, 104U) && (sizeof(job_t) == 108U));

/* A column of weights, 12 multiply-accumulates in 10 cycles: one of three columns (x, y, z) of the
 * input is new. r4 to r6 are sums of the upper row, r7 to r9 of the lower one. */
#define TAPS(at, x, y, z)                                                                          \
    "ldr.w " z ", [r0, #" at "]; ldr.w r2, [r1], #4; ldr.w r3, [r1], #4\n"                         \
    "smlad r4, " x ", r2, r4; smlad r5, " y ", r2, r5; smlad r6, " z ", r2, r6\n"                  \
    "smlad r7, " x ", r3, r7; smlad r8, " y ", r3, r8; smlad r9, " z ", r3, r9\n"

#define BEGIN(at0, at1) "ldr.w r10, [r0, #" at0 "]; ldr.w r11, [r0, #" at1 "]\n"
#define ONE(at) TAPS(at, "r10", "r11", "r12")
#define TWO(at0, at1) ONE(at0) TAPS(at1, "r11", "r12", "r10")
#define ALL(at0, at1, at2) TWO(at0, at1) TAPS(at2, "r12", "r10", "r11")
#define BODY(name, taps)                                                                           \
    ".balign 4\n" name ":\n" taps                                                                  \
    "add r0, r0, lr; ldr r2, [sp, #56]; cmp r1, r2; bne.w " name "b\n"

/*
 * Four channels of a strip: two rows by three columns at a time, plane by plane. The columns of a
 * row that are left over are made with the one or two before them. The lower row is written first:
 * where it does not exist, the upper one overwrites it.
 */
static MPLAN_NAKED void four_channels(__attribute__((unused)) const job_t *job)
{
    __asm volatile(
        MPLAN_ENTERED
        "push {r4-r11, lr}; sub sp, #108; mov r1, sp; ldm r0!, {r2-r10}; stm r1!, {r2-r10}\n"
        "ldm r0!, {r2-r10}; stm r1!, {r2-r10}; ldm r0!, {r2-r10}; stm r1!, {r2-r10}\n"
        "ldr r2, [sp, #60]; adr.w r3, 50f; cmp r2, #1; it eq; adreq.w r3, 51f; cmp r2, #2\n"
        "it eq; adreq.w r3, 52f; cmp r2, #3; it eq; adreq.w r3, 53f; orr r3, r3, #1\n"
        "str r3, [sp, #60]\n"
        "0:\n" /* a channel */
        "ldr r2, [sp, #40]; ldr r5, [sp, #104]; ldr r0, [sp, #44]; ldm r2!, {r3, r4}\n"
        "str r3, [sp, #24]; str r4, [sp]; str r2, [sp, #52]; add r2, r2, r5; str r2, [sp, #56]\n"
        "str r2, [sp, #40]; str r0, [sp, #80]; add r2, r0, #4; str r2, [sp, #44]\n"
        "ldr r2, [sp, #72]\n"
        "1:\n" /* two rows */
        "ldm r2!, {r10, r11}; ldr r3, [sp, #48]; ldr r0, [sp, #80]; ldr r4, [sp, #88]\n"
        "ldr r5, [sp, #92]; str r2, [sp, #28]; add r10, r10, r3; str r10, [sp, #8]\n"
        "str r11, [sp, #16]; add r4, r4, r0; str r4, [sp, #20]; str r5, [sp, #68]\n"
        "2:\n" /* a block */
        "ldr r1, [sp, #52]; ldr r4, [sp, #24]; ldr.w lr, [sp, #36]; mov r5, r4; mov r6, r4\n"
        "mov r7, r4; mov r8, r4; mov r9, r4; ldr.w pc, [sp, #60]\n"
        BODY("50", BEGIN("0", "16") ALL("32", "48", "64") TWO("80", "96"))
        "b.w 3f\n"
        BODY("51", BEGIN("0", "16") ALL("32", "48", "64") ALL("80", "96", "112") ONE("128"))
        "b.w 3f\n"
        BODY("52", BEGIN("0", "32") ALL("64", "96", "128") BEGIN("16", "48") TWO("80", "112"))
        "b.w 3f\n"
        BODY("53", BEGIN("0", "32") ALL("64", "96", "128") ONE("160") BEGIN("16", "48")
             ALL("80", "112", "144"))
        "3:\n"
        "ldr r2, [sp]; ldr r3, [sp, #4]; ldr.w r10, [sp, #8]; ldr.w r11, [sp, #12]\n"
        "ldr.w r12, [sp, #16]; smmlar r4, r4, r2, r3; smmlar r5, r5, r2, r3\n"
        "smmlar r6, r6, r2, r3; smmlar r7, r7, r2, r3; smmlar r8, r8, r2, r3\n"
        "smmlar r9, r9, r2, r3; add r12, r12, r10; ssat r4, #8, r4; ssat r5, #8, r5\n"
        "ssat r6, #8, r6; ssat r7, #8, r7; ssat r8, #8, r8; ssat r9, #8, r9\n"
        "strb r7, [r12]; strb r8, [r12, r11]; strb r9, [r12, r11, lsl #1]\n"
        "strb r4, [r10]; strb r5, [r10, r11]; strb r6, [r10, r11, lsl #1]\n"
        "add r11, r11, r11, lsl #1; add r10, r10, r11; str r10, [sp, #8]; ldr r2, [sp, #64]\n"
        "ldr r3, [sp, #20]; add r0, r0, r2; cmp r0, r3; bne.w 2b\n"
        "ldr r2, [sp, #68]; cmp r2, #0; beq 4f\n"
        "sub r0, r0, r2; ldr r3, [sp, #96]; ldr r4, [sp, #8]; sub r4, r4, r3; str r4, [sp, #8]\n"
        "ldr r3, [sp, #100]; add r3, r3, r0; str r3, [sp, #20]; movs r2, #0; str r2, [sp, #68]\n"
        "b.w 2b\n"
        "4:\n"
        "ldr r0, [sp, #80]; ldr r4, [sp, #84]; ldr r2, [sp, #28]; ldr r3, [sp, #32]\n"
        "add r0, r0, r4; str r0, [sp, #80]; cmp r2, r3; bne.w 1b\n"
        "ldr r0, [sp, #48]; ldr r2, [sp, #40]; ldr r3, [sp, #76]; add r0, r0, #1\n"
        "str r0, [sp, #48]; cmp r2, r3; bne.w 0b\n"
        "add sp, #108; pop {r4-r11, pc}\n");
}

/* What of a job is the same for all channels and strips. */
static void prepare(const mplan_planes_s8_dsp_t *p, job_t *job, const mplan_planes_t *from,
                    size_t seen)
{
    const uint32_t column = MPLAN_PLANE_COLUMN * (uint32_t)sizeof(uint32_t);
    const uint32_t rest = (uint32_t)p->out_w % THREE;
    const uint32_t missing = (rest > 0U) ? (THREE - rest) : 0U;

    job->zero_point = p->out_zero_point;
    job->apart = p->channels;
    job->plane = from->columns * column;
    job->body = ((p->stride == 2U) ? 2U : 0U) + ((p->kernel == 7U) ? 1U : 0U);
    job->block = THREE * p->stride * column;
    job->back = job->block - ((uint32_t)seen * job->plane);
    job->advance = job->plane * p->stride;
    job->blocks = (p->out_w / THREE) * job->block;
    job->shift = missing * p->stride * column;
    job->out_shift = missing * p->channels;
    job->weights_bytes = (uint32_t)(8U * seen * p->kernel);
}

MPLAN_KERNEL
void mplan_planes_s8_dsp(const mplan_planes_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1, int8_t *scratch)
{
    const size_t seen = ((size_t)p->kernel + p->stride + 1U) / 2U;
    const size_t most = (((size_t)p->strip - 1U) * p->stride) + seen;
    const size_t channel_words = 2U + (2U * seen * p->kernel);
    mplan_place_t *const places = (mplan_place_t *)(void *)scratch;
    mplan_pair_t *const pairs = (mplan_pair_t *)(void *)&places[p->strip];
    uint32_t *const planes = (uint32_t *)(void *)&pairs[most];
    mplan_planes_t from;
    job_t job;
    size_t count = 0U;

    from.rows = &p->in_rows;
    from.in = in;
    from.height = p->in_h;
    from.channels = p->channels;
    from.columns = (((uint32_t)p->out_w - 1U) * p->stride) + p->kernel;
    from.before = p->pad_left;
    from.width = from.columns - from.before;
    if (from.width > p->in_w) {
        from.width = p->in_w;
    }
    mplan_pad_planes(&from, planes, most, p->in_zero_point);
    prepare(p, &job, &from, seen);
    for (size_t y = y0; y < y1; y += 2U * count) {
        const int32_t first_row = ((int32_t)y * (int32_t)p->stride) - (int32_t)p->pad_top;
        const mplan_pair_t *pairs_end;

        count = mplan_find_places(&p->out_rows, out, y, y1, places, p->strip);
        job.places = places;
        job.place_end = &places[count];
        pairs_end = &pairs[((count - 1U) * p->stride) + seen];
        mplan_find_pairs(&from, pairs, (size_t)(pairs_end - pairs), first_row);
        for (size_t c = 0U; c < p->channels; c += 4U) {
            const size_t first = ((c + 4U) <= p->channels) ? c : ((size_t)p->channels - 4U);

            mplan_fill_planes(pairs, pairs_end, &planes[from.before * MPLAN_PLANE_COLUMN], first,
                              from.width, job.plane - (from.width * 16U));
            job.packed = &p->packed[first * channel_words];
            job.packed_end = &job.packed[4U * channel_words];
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
