/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_winograd_s8_dsp.h"

#define LANES (4U) /* tiles that share each word of weights */
#define SIDE (4U)  /* input pixels along a tile */
#define UNROLL (8U)
#define STEP_BYTES 56     /* of code */
#define STEP_WORDS (256)  /* bytes of a step's transformed inputs: 16 positions of four tiles */
#define SUMS_BYTES (512U) /* 16 positions of four tiles and two channels */
#define NAKED __attribute__((naked, noinline, used))
#define UNUSED __attribute__((unused))

/* What the assembly reads, at the start of the scratch. Its offsets stand there. */
typedef struct {
    const int32_t *packed;       /*  0 */
    const int32_t *end;          /*  4: of the packed channels */
    const uint32_t *inputs;      /*  8: transformed: for each step [position][tile] */
    int32_t *sums;               /* 12: [position][tile][channel of two] */
    uint32_t skip;               /* 16: bytes of code before the entry of the loop */
    int32_t back;                /* 20: bytes from a first word to the one the loop counts from */
    const uint32_t *stop;        /* 24: behind the inputs */
    int32_t zero_point;          /* 28: of the output */
    int8_t *const *outs_end;     /* 32: behind those of the tiles that there are */
    uint32_t apart;              /* 36: bytes from an input pixel to the next */
    const int8_t *lines[SIDE];   /* 40: input rows of a tile, from its first pixel on */
    int8_t *outs[LANES][4];      /* 56: of each tile two pixels of row 0, then two of row 1 */
} job_t;
MPLAN_STATIC_ASSERT(job_as_in_assembly,
                    MPLAN_AT(job_t, packed, 0U) && MPLAN_AT(job_t, end, 4U) &&
                        MPLAN_AT(job_t, inputs, 8U) && MPLAN_AT(job_t, sums, 12U) &&
                        MPLAN_AT(job_t, skip, 16U) && MPLAN_AT(job_t, back, 20U) &&
                        MPLAN_AT(job_t, stop, 24U) && MPLAN_AT(job_t, zero_point, 28U) &&
                        MPLAN_AT(job_t, outs_end, 32U) && MPLAN_AT(job_t, apart, 36U) &&
                        MPLAN_AT(job_t, lines, 40U) && MPLAN_AT(job_t, outs, 56U) &&
                        (sizeof(job_t) == 120U));

/* Four pixels of the tile's row into four registers from `a` on; `moves` on to the next word. */
#define PIXELS(row, a, b, c, d, half, moves)                                                       \
    "ldr r3, [sp, #" row "]\n"                                                                     \
    "ldr.w " a ", [r3]; ldr.w " b ", [r3, r1]; ldr.w " c ", [r3, r1, lsl #1]\n"                    \
    "ldr.w " d ", [r3, r2]\n" moves(row)                                                           \
    "sxtb16 " a ", " a half "; sxtb16 " b ", " b half "\n"                                         \
    "sxtb16 " c ", " c half "; sxtb16 " d ", " d half "\n"
#define STAYS(row) ""
#define MOVES(row) "add r3, r3, #4; str r3, [sp, #" row "]\n"

#define STORE(at, a, b, c, d)                                                                      \
    "str.w " a ", [r0, #" at " + 0]; str.w " b ", [r0, #" at " + 16]\n"                            \
    "str.w " c ", [r0, #" at " + 32]; str.w " d ", [r0, #" at " + 48]\n"

/* Two channels of each four: along the rows 2, 0, 1, 3, and down the columns as they come. */
#define HALF(at, half, moves)                                                                      \
    PIXELS("8", "r8", "r9", "r10", "r11", half, moves)                                             \
    "ssub16 r4, r8, r10; sadd16 r5, r9, r10; ssub16 r6, r10, r9; ssub16 r7, r9, r11\n"             \
    PIXELS("0", "r8", "r9", "r10", "r11", half, moves)                                             \
    "ssub16 r8, r8, r10; sadd16 r12, r9, r10; ssub16 r10, r10, r9; ssub16 r11, r9, r11\n"          \
    "ssub16 r8, r8, r4; ssub16 r12, r12, r5; ssub16 r10, r10, r6; ssub16 r11, r11, r7\n"           \
    STORE(at, "r8", "r12", "r10", "r11")                                                           \
    PIXELS("4", "r8", "r9", "r10", "r11", half, moves)                                             \
    "ssub16 r8, r8, r10; sadd16 r12, r9, r10; ssub16 r10, r10, r9; ssub16 r11, r9, r11\n"          \
    "sadd16 r3, r8, r4; sadd16 r9, r12, r5; sadd16 lr, r10, r6\n"                                  \
    "ssub16 r4, r4, r8; ssub16 r5, r5, r12; ssub16 r6, r6, r10\n"                                  \
    "str.w r3, [r0, #" at " + 64]; str.w r9, [r0, #" at " + 80]\n"                                 \
    "sadd16 r3, r11, r7; ssub16 r7, r7, r11\n"                                                     \
    "str.w lr, [r0, #" at " + 96]; str.w r3, [r0, #" at " + 112]\n"                                \
    STORE(at " + 128", "r4", "r5", "r6", "r7")                                                     \
    PIXELS("12", "r4", "r5", "r6", "r7", half, moves)                                              \
    "ssub16 r4, r4, r6; sadd16 r9, r5, r6; ssub16 r6, r6, r5; ssub16 r7, r5, r7\n"                 \
    "ssub16 r4, r8, r4; ssub16 r9, r12, r9; ssub16 r6, r10, r6; ssub16 r7, r11, r7\n"              \
    STORE(at " + 192", "r4", "r9", "r6", "r7")

/* B' d B of one tile, four channels at a time; `to` is its lane of the transformed inputs. */
static NAKED void transform(UNUSED const job_t *job, UNUSED uint32_t *to)
{
    __asm volatile("push {r4-r11, lr}; sub sp, sp, #20\n"
                   "mov r12, r0; mov r0, r1; ldr.w r1, [r12, #36]; add r2, r1, r1, lsl #1\n"
                   "add r12, r12, #40; ldmia r12, {r4-r7}; stmia sp, {r4-r7}\n"
                   "add r4, r4, r1; str r4, [sp, #16]\n"
                   "1:\n" HALF("0", "", STAYS) HALF("256", ", ror #8", MOVES)
                   "ldr r3, [sp]; ldr r12, [sp, #16]; add r0, r0, #512; cmp r3, r12; bne.w 1b\n"
                   "add sp, sp, #20; pop {r4-r11, pc}\n");
}

/* Four tiles by two channels: 16 products in 16 cycles. */
#define LOADS(v, at) "ldr.w r2, [r1, #" at "]; ldr.w r3, [r1, #" at " + 4]\n" v
#define WEIGHTS "ldr.w r12, [r0], #4; ldr.w lr, [r0], #4\n"
#define STEP(at)                                                                                   \
    LOADS(WEIGHTS, at)                                                                             \
    "smlad r4, r2, r12, r4; smlad r5, r2, lr, r5; smlad r6, r3, r12, r6; smlad r7, r3, lr, r7\n"   \
    LOADS("", at " + 8")                                                                           \
    "smlad r8, r2, r12, r8; smlad r9, r2, lr, r9\n"                                                \
    "smlad r10, r3, r12, r10; smlad r11, r3, lr, r11\n"

/* A column of sums of a tile: r8 = m0 + m1 + m2, r9 = m1 - m2 - m3, or into other registers. */
#define COLUMN(first, s0, s1)                                                                      \
    "ldr.w r8, [r1, #" first "]; ldr.w r9, [r1, #" first " + 128]\n"                               \
    "ldr.w r10, [r1, #" first " + 256]; ldr.w r11, [r1, #" first " + 384]\n"                       \
    "add r8, r8, r9; sub r9, r9, r10; add " s0 ", r8, r10; sub " s1 ", r9, r11\n"

/* One channel of a tile's outputs: A' M A / 4, requantized; r12 is moved on by `then`. */
#define OUTPUTS(channel, then)                                                                     \
    COLUMN("0 + 4 * " channel, "r4", "r6")                                                         \
    COLUMN("32 + 4 * " channel, "r5", "r7") "add r4, r4, r5; add r6, r6, r7\n"                     \
    COLUMN("64 + 4 * " channel, "r8", "r9")                                                        \
    "add r4, r4, r8; sub r5, r5, r8; add r6, r6, r9; sub r7, r7, r9\n"                             \
    COLUMN("96 + 4 * " channel, "r8", "r9")                                                        \
    "ldr r2, [r0, #8 * " channel "]; ldr r3, [r0, #8 * " channel " + 4]\n"                         \
    "sub r5, r5, r8; sub r7, r7, r9\n"                                                             \
    "add r4, r2, r4, asr #2; add r5, r2, r5, asr #2\n"                                             \
    "add r6, r2, r6, asr #2; add r7, r2, r7, asr #2\n"                                             \
    "ldr r2, [sp, #24]; ldmia.w " then ", {r8-r11}\n"                                              \
    "smmlar r4, r4, r3, lr; smmlar r5, r5, r3, lr; smmlar r6, r6, r3, lr; smmlar r7, r7, r3, lr\n" \
    "ssat r4, #8, r4; ssat r5, #8, r5; ssat r6, #8, r6; ssat r7, #8, r7\n"

/*
 * All output channels of the tiles, two at a time.
 *
 * r0 walks over the weights. For each position the first step begins the sums, and the loop of
 * eight steps is entered where the others fill it up. The stack: 0 the position's first word,
 * 4 where its sums go, 8 the entry, 12 stop, 16 the end of the positions, 20 job, 24 the channel,
 * 28 back.
 */
static NAKED void channels(UNUSED const job_t *job)
{
    __asm volatile(
        "push {r4-r11, lr}; sub sp, sp, #32; str r0, [sp, #20]\n"
        "ldr r1, [r0, #16]; adr r2, 2f; add r2, r2, r1; orr r2, r2, #1; str r2, [sp, #8]\n"
        "ldr r1, [r0, #24]; ldr r2, [r0, #20]; str r1, [sp, #12]; str r2, [sp, #28]\n"
        "ldr r1, [r0, #8]; mov r2, #0; add r1, r1, #256; str r1, [sp, #16]; str r2, [sp, #24]\n"
        "ldr r0, [r0]\n"
        "1:\n" /* two channels */
        "ldr r3, [sp, #20]; ldr r1, [r3, #8]; ldr r2, [r3, #12]; str r1, [sp]; str r2, [sp, #4]\n"
        ".balign 4\n"
        "3:\n" /* a position */
        LOADS(WEIGHTS, "0")
        "smuad r4, r2, r12; smuad r5, r2, lr; smuad r6, r3, r12; smuad r7, r3, lr\n"
        LOADS("", "8")
        "smuad r8, r2, r12; smuad r9, r2, lr; smuad r10, r3, r12; smuad r11, r3, lr\n"
        "ldr r2, [sp, #8]; ldr r3, [sp, #28]; add r1, r1, r3; bx r2\n"
        ".balign 4\n2:\n"
        STEP("0") STEP("256") STEP("512") STEP("768")
        STEP("1024") STEP("1280") STEP("1536") STEP("1792")
        MPLAN_CODE_BYTES("2b", 8 * STEP_BYTES)
        "ldr r2, [sp, #12]; add.w r1, r1, #2048; cmp r1, r2; blo.w 2b\n"
        "ldr r1, [sp]; ldr r2, [sp, #4]; ldr r3, [sp, #16]; stmia r2!, {r4-r11}\n"
        "add.w r1, r1, #16; str r1, [sp]; str r2, [sp, #4]; cmp r1, r3; bne.w 3b\n"
        "ldr r2, [sp, #20]; ldr r1, [r2, #12]; ldr.w lr, [r2, #28]; add r12, r2, #56\n"
        "4:\n" /* a tile */
        OUTPUTS("0", "r12")
        "strb r7, [r11, r2]; strb r6, [r10, r2]; strb r5, [r9, r2]; strb r4, [r8, r2]\n"
        OUTPUTS("1", "r12!")
        "add r2, r2, #1\n"
        "strb r7, [r11, r2]; strb r6, [r10, r2]; strb r5, [r9, r2]; strb r4, [r8, r2]\n"
        "ldr r3, [sp, #20]; ldr r3, [r3, #32]; add r1, r1, #8; cmp r12, r3; bne.w 4b\n"
        "ldr r3, [sp, #20]; ldr r3, [r3, #4]; add r2, r2, #1; str r2, [sp, #24]\n"
        "add r0, r0, #16; cmp r0, r3; bne.w 1b\n"
        "add sp, sp, #32; pop {r4-r11, pc}\n");
}

/* Where the four input rows of two output rows are, NULL outside. */
static void find_lines(const mplan_winograd_s8_dsp_t *p, const int8_t *in, const int8_t **lines,
                       size_t y, size_t count)
{
    for (size_t i = 0U; i < SIDE; i++) {
        const int32_t from = ((int32_t)y + (int32_t)i) - (int32_t)p->pad_top;

        lines[i] = NULL;
        if (i >= count) { /* of row 1, where there is none */
            lines[i] = lines[i - 1U];
        } else if ((from >= 0) && (from < (int32_t)p->in_h)) {
            lines[i] = &in[mplan_row(&p->in_rows, (size_t)from)];
        } else {
            /* outside */
        }
    }
}

/* A tile's input: in its place, or where not all of a row lies inside, in a copy. */
static void find_tile(const mplan_winograd_s8_dsp_t *p, job_t *job, const int8_t *const *lines,
                      int8_t *copy, int32_t x)
{
    const size_t in_c = p->in_c;
    const int32_t first = (x < 0) ? -x : 0; /* pixels */
    const int32_t left = (int32_t)p->in_w - x;
    const int32_t end = (left < (int32_t)SIDE) ? left : (int32_t)SIDE;

    for (size_t i = 0U; i < SIDE; i++) {
        int8_t *const to = &copy[i * SIDE * in_c];

        if ((lines[i] != NULL) && (first == 0) && (end == (int32_t)SIDE)) {
            job->lines[i] = &lines[i][(size_t)x * in_c];
        } else {
            (void)memset(to, p->in_zero_point, SIDE * in_c);
            if ((lines[i] != NULL) && (first < end)) {
                (void)memcpy(&to[(size_t)first * in_c], &lines[i][(size_t)(x + first) * in_c],
                             (size_t)(end - first) * in_c);
            }
            job->lines[i] = to;
        }
    }
}

/* All channels of the tiles that wait. */
static void flush(job_t *job, size_t count)
{
    job->outs_end = job->outs[count];
    channels(job);
}

/*
 * Two output rows; of the last one there may be no second. Returns how many tiles wait.
 *
 * Row 1 may lie on input that row 0 reads: as long as tiles are to come, its pixels go to `spare`,
 * as do those that nobody wants. Tiles that wait write behind the last reading, to their places.
 */
static size_t two_rows(const mplan_winograd_s8_dsp_t *p, job_t *job, const int8_t *in, int8_t *out,
                       int8_t *spare, size_t y, size_t rows, size_t waiting)
{
    const size_t out_c = p->out_c;
    const int8_t *lines[SIDE];
    int8_t *const row0 = &out[mplan_row(&p->out_rows, y)];
    uint32_t *const inputs = (uint32_t *)(void *)&job[1];
    size_t count = waiting;
    size_t first = waiting; /* of the tiles of these rows */

    find_lines(p, in, lines, y, 2U + rows);
    for (size_t x = 0U; x < p->out_w; x += 2U) {
        if (count == LANES) {
            flush(job, count);
            count = 0U;
            first = 0U;
        }
        find_tile(p, job, lines, (int8_t *)job->sums, (int32_t)x - (int32_t)p->pad_left);
        transform(job, &inputs[count]);
        job->outs[count][0] = &row0[x * out_c];
        job->outs[count][1] = ((x + 1U) < p->out_w) ? &row0[(x + 1U) * out_c]
                                                    : &spare[(x + 1U) * out_c];
        job->outs[count][2] = &spare[x * out_c];
        job->outs[count][3] = &spare[(x + 1U) * out_c];
        count++;
    }
    if (rows > 1U) {
        int8_t *const row1 = &out[mplan_row(&p->out_rows, y + 1U)];
        const size_t done = (size_t)(job->outs[first][2] - spare);

        (void)memcpy(row1, spare, done);
        for (size_t i = first; i < count; i++) {
            const size_t at = (size_t)(job->outs[i][2] - spare);

            job->outs[i][2] = &row1[at];
            if ((at + out_c) < ((size_t)p->out_w * out_c)) {
                job->outs[i][3] = &row1[at + out_c];
            }
        }
    }
    return count;
}

MPLAN_KERNEL void mplan_winograd_s8_dsp(const mplan_winograd_s8_dsp_t *p, const int8_t *in,
                                        int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    job_t *const job = (job_t *)(void *)scratch;
    const size_t steps = (size_t)p->in_c / 2U;
    const size_t filled = (UNROLL - ((steps - 1U) % UNROLL)) % UNROLL;
    const size_t copy_bytes = (size_t)SIDE * SIDE * p->in_c;
    int8_t *const sums = &scratch[sizeof *job + (steps * (size_t)STEP_WORDS)];
    int8_t *const spare = &sums[(copy_bytes > SUMS_BYTES) ? copy_bytes : SUMS_BYTES];
    size_t waiting = 0U;

    job->packed = p->packed;
    job->end = &p->packed[((size_t)p->out_c / 2U) * ((32U * steps) + 4U)];
    job->inputs = (const uint32_t *)(const void *)&job[1];
    job->sums = (int32_t *)(void *)sums;
    job->skip = (uint32_t)(filled * (size_t)STEP_BYTES);
    job->back = (1 - (int32_t)filled) * STEP_WORDS;
    job->stop = (const uint32_t *)(const void *)sums;
    job->zero_point = p->out_zero_point;
    job->apart = p->in_c;
    for (size_t y = y0; y < y1; y += 2U) {
        const size_t rows = ((y1 - y) > 1U) ? 2U : 1U;

        waiting = two_rows(p, job, in, out, spare, y, rows, waiting);
    }
    flush(job, waiting);
    for (size_t y = y0; ((p->act_min > -128) || (p->act_max < 127)) && (y < y1); y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < ((size_t)p->out_w * p->out_c); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}
