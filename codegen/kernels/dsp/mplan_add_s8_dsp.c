/* SPDX-License-Identifier: 0BSD */
#include "mplan_add_s8_dsp.h"

/* What `sum_fours` needs, in the order of its registers. */
typedef struct {
    int32_t multiplier;
    int32_t multiplier2;
    int32_t offset;
    int32_t zero_point;
    int32_t scale; /* -2^(32 - shift): what is above the low word of a product is shifted right */
    size_t fours;  /* at least 1 */
} factors_t;

/* Two elements in 15 cycles; all of both are read before one is written. */
#define TWO                                                                                        \
    "ldrsb r10, [r0], #1; ldrsb r11, [r0], #1; ldrsb r12, [r1], #1; ldrsb lr, [r1], #1\n"          \
    "mla r10, r10, r4, r6; mla r11, r11, r4, r6; mla r10, r12, r5, r10; mla r11, lr, r5, r11\n"    \
    "smmls r10, r10, r8, r7; smmls r11, r11, r8, r7; ssat r10, #8, r10; ssat r11, #8, r11\n"       \
    "strb r10, [r2], #1; strb r11, [r2], #1\n"

/* Sixteen elements a round, which is entered for what is left, in 112 bytes of code each four. */
static MPLAN_NAKED void sum_fours(
    __attribute__((unused)) const int8_t *in, __attribute__((unused)) const int8_t *in2,
    __attribute__((unused)) int8_t *out, __attribute__((unused)) const factors_t *factors)
{
    __asm volatile("push {r4-r11, lr}; ldm r3, {r4-r9}\n"
                   "rsb r12, r9, #0; and r12, r12, #3; mov r10, #112; adr r11, 1f\n"
                   "mla r11, r12, r10, r11; orr r11, r11, #1; add r9, r9, #3; lsr r9, r9, #2\n"
                   "bx r11\n"
                   ".balign 4\n1:\n"
                   ".rept 4\n" TWO TWO ".endr\n" MPLAN_CODE_BYTES("1b", 4 * 112)
                   "subs r9, r9, #1; bne.w 1b\n"
                   "pop {r4-r11, pc}\n");
}

static int8_t one(const mplan_add_s8_dsp_t *p, int32_t a, int32_t b)
{
    const int32_t sum = p->offset + (a * p->multiplier) + (b * p->multiplier2);

    return (int8_t)mplan_clamp((sum >> p->shift) + p->out_zero_point, -128, 127);
}

/* `count` elements that lie one behind the other. */
static void add_run(const mplan_add_s8_dsp_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                    size_t count)
{
    size_t done = 0U;

    if (count >= 4U) {
        factors_t factors;

        factors.multiplier = p->multiplier;
        factors.multiplier2 = p->multiplier2;
        factors.offset = p->offset;
        factors.zero_point = p->out_zero_point;
        factors.scale = -(int32_t)((1UL << (32U - p->shift)) - 1U) - 1; /* as low as -2^31 */
        factors.fours = count / 4U;
        done = 4U * factors.fours;
        sum_fours(in, in2, out, &factors);
    }
    for (size_t i = done; i < count; i++) {
        out[i] = one(p, in[i], in2[i]);
    }
}

/* Whether rows of so many bytes lie one behind the other. */
static int are_joined(const mplan_rows_t *rows, size_t bytes)
{
    return (rows->table == NULL) && (rows->stride == bytes);
}

MPLAN_KERNEL
void mplan_add_s8_dsp(const mplan_add_s8_dsp_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1)
{
    const size_t bytes = p->row_bytes;
    size_t rows = 1U;

    if (are_joined(&p->in_rows, bytes) && are_joined(&p->in2_rows, bytes) &&
        are_joined(&p->out_rows, bytes)) {
        rows = y1 - y0;
    }
    for (size_t y = y0; y < y1; y += rows) {
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        add_run(p, &in[mplan_row(&p->in_rows, y)], &in2[mplan_row(&p->in2_rows, y)], to,
                rows * bytes);
        if ((p->act_min > -128) || (p->act_max < 127)) {
            for (size_t i = 0U; i < (rows * bytes); i++) {
                to[i] = (int8_t)mplan_clamp(to[i], p->act_min, p->act_max);
            }
        }
    }
}
