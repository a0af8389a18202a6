/* SPDX-License-Identifier: 0BSD */
#include "mplan_dense_w4_scalar.h"

/*
 * A product of an input with two raised weights in one word adds to two sums of 16 bits: those of
 * 16 inputs stay within them.
 */
#define LONGEST 16U

/* Sums of a run; their offsets stand in the assembly. */
typedef struct {
    uint32_t pairs[4]; /* 65536 * (sum of output 4 + i) + (sum of output i) */
    uint32_t inputs;
} run_t;
MPLAN_STATIC_ASSERT(run_as_in_assembly,
                    MPLAN_AT(run_t, pairs, 0U) && MPLAN_AT(run_t, inputs, 16U));

#if defined(__thumb__) && !defined(__thumb2__)

#define UNREAD __attribute__((unused))
#define PAIR(word, sum) "ands " word ", r5; muls " word ", r2, " word "; add " sum ", " word "\n"

/*
 * Sums of `count` inputs, at least one, with a word of weights for each.
 *
 * r0 end of the inputs  r1 weights  r2 an input  r3 two weights  r4 eight weights  r5 0x000F000F
 * r6 sum of the inputs  r7 place before the end  r8 to r11 pairs of sums
 */
static MPLAN_NAKED void add_run(UNREAD const int8_t *in, UNREAD const int32_t *weights,
                                UNREAD size_t count, UNREAD run_t *sums)
{
    __asm volatile(".syntax unified\n"
                   "push {r4-r7, lr}; mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"
                   "push {r3-r7}; adds r0, r0, r2; rsbs r7, r2, #0\n"
                   "movs r5, #15; lsls r4, r5, #16; orrs r5, r4; movs r6, #0\n"
                   "mov r8, r6; mov r9, r6; mov r10, r6; mov r11, r6\n"
                   "1:\n"
                   "ldrsb r2, [r0, r7]; ldm r1!, {r4}; adds r6, r6, r2\n"
                   "movs r3, r4\n" PAIR("r3", "r8") "lsrs r3, r4, #4\n" PAIR("r3", "r9")
                   "lsrs r3, r4, #8\n" PAIR("r3", "r10") "lsrs r4, r4, #12\n" PAIR("r4", "r11")
                   "adds r7, r7, #1; bne 1b\n"
                   "pop {r3}; mov r4, r8; mov r5, r9; stm r3!, {r4, r5}\n"
                   "mov r4, r10; mov r5, r11; stm r3!, {r4, r5, r6}\n"
                   "pop {r4-r7}\n"
                   "mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7\n"
                   "pop {r4-r7, pc}\n");
}

#else

/* Sums of `count` inputs, at least one, with a word of weights for each. */
static void add_run(const int8_t *in, const int32_t *weights, size_t count, run_t *sums)
{
    uint32_t a = 0U;
    uint32_t b = 0U;
    uint32_t c = 0U;
    uint32_t d = 0U;
    uint32_t all = 0U;

    for (size_t i = 0U; i < count; i++) {
        const uint32_t value = (uint32_t)(int32_t)in[i];
        const uint32_t eight = (uint32_t)weights[i];

        a += value * (eight & 0x000F000FU);
        b += value * ((eight >> 4U) & 0x000F000FU);
        c += value * ((eight >> 8U) & 0x000F000FU);
        d += value * ((eight >> 12U) & 0x000F000FU);
        all += value;
    }
    sums->pairs[0] = a;
    sums->pairs[1] = b;
    sums->pairs[2] = c;
    sums->pairs[3] = d;
    sums->inputs = all;
}

#endif

/* Adds a run to the sums of eight outputs, each times its factor. */
static void add_sums(int32_t sums[8], const run_t *run, const uint8_t *factors)
{
    const int32_t raised = (int32_t)run->inputs * 8;

    for (size_t i = 0U; i < 4U; i++) {
        const int32_t low = (int32_t)((run->pairs[i] & 0xFFFFU) ^ 0x8000U) - 0x8000;
        const int32_t high = (int32_t)(run->pairs[i] + 0x8000U) >> 16;

        if (factors != NULL) {
            sums[i] += (low - raised) * factors[i];
            sums[i + 4U] += (high - raised) * factors[i + 4U];
        } else {
            sums[i] += low - raised;
            sums[i + 4U] += high - raised;
        }
    }
}

static int8_t result(const mplan_dense_w4_scalar_t *p, int32_t sum, size_t output)
{
    const uint32_t pre_shift = (p->pre_shift != NULL) ? p->pre_shift[output] : 0U;
    const int32_t multiplier = p->multiplier[output];
    const int32_t scaled = (p->small != 0U) ? mplan_scale_30(sum, multiplier)
                                            : mplan_scale(sum, multiplier, pre_shift);

    return (int8_t)mplan_clamp(scaled + p->out_zero_point, p->act_min, p->act_max);
}

/* One pixel, all outputs. */
static void dense_pixel(const mplan_dense_w4_scalar_t *p, const int8_t *in, int8_t *out)
{
    const int32_t *weights = p->packed;
    const uint8_t *factors = p->factors;

    for (size_t first = 0U; first < p->out_c; first += 8U) {
        const size_t left = p->out_c - first;
        const size_t outputs = (left < 8U) ? left : 8U;
        size_t end = 0U; /* of a block */
        int32_t sums[8];
        run_t run;

        for (size_t i = 0U; i < 8U; i++) {
            sums[i] = p->bias[first + i];
        }
        for (size_t at = 0U; at < p->in_c;) {
            const size_t rest = (size_t)p->in_c - at;

            end = at + ((rest < p->block) ? rest : p->block);
            while (at < end) {
                const size_t count = ((end - at) < LONGEST) ? (end - at) : LONGEST;

                add_run(&in[at], weights, count, &run);
                add_sums(sums, &run, factors);
                weights = &weights[count];
                at += count;
            }
            factors = (factors != NULL) ? &factors[8] : NULL;
        }
        for (size_t i = 0U; i < outputs; i++) {
            out[first + i] = result(p, sums[i], first + i);
        }
    }
}

MPLAN_KERNEL
void mplan_dense_w4_scalar(const mplan_dense_w4_scalar_t *p, const int8_t *in, int8_t *out,
                           size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = p->pixels; x > 0U; x--) {
            dense_pixel(p, from, to);
            from = &from[p->in_c];
            to = &to[p->out_c];
        }
    }
}
