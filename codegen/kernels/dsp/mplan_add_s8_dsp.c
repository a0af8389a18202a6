/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_add_s8_dsp.h"

/* Sum of byte `n` of two words, requantized and saturated to int8. */
#define SUM(result, n)                                                                             \
    __asm("sxtb %0, %[a], ror #" #n "\n"                                                           \
          "sxtb %[t], %[b], ror #" #n "\n"                                                         \
          "mla %0, %0, %[m], %[offset]; mla %0, %[t], %[m2], %0; asr %0, %0, %[shift]\n"           \
          "add %0, %0, %[zero]\n"                                                                  \
          "ssat %0, #8, %0"                                                                        \
          : "=&r"(result), [t] "=&r"(other)                                                        \
          : [a] "r"(a), [b] "r"(b), [m] "r"(multiplier), [m2] "r"(multiplier2),                    \
            [offset] "r"(offset), [shift] "r"(shift), [zero] "r"(zero_point))

static int8_t one(const mplan_add_s8_dsp_t *p, int32_t a, int32_t b)
{
    const int32_t sum = p->offset + (a * p->multiplier) + (b * p->multiplier2);

    return (int8_t)mplan_clamp((sum >> p->shift) + p->out_zero_point, -128, 127);
}

/* `count` elements that lie one behind the other. Both words are read before one is written. */
static void add_run(const mplan_add_s8_dsp_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                    size_t count)
{
    const int32_t multiplier = p->multiplier;
    const int32_t multiplier2 = p->multiplier2;
    const int32_t offset = p->offset;
    const int32_t zero_point = p->out_zero_point;
    const uint32_t shift = p->shift;
    const int8_t *const end = &in[count - (count % 4U)];

    while (in != end) {
        uint32_t a;
        uint32_t b;
        int32_t other;
        int32_t sum;

        (void)memcpy(&a, in, sizeof a); /* any address: one load */
        (void)memcpy(&b, in2, sizeof b);
        in = &in[4];
        in2 = &in2[4];
        SUM(sum, 0);
        out[0] = (int8_t)sum;
        SUM(sum, 8);
        out[1] = (int8_t)sum;
        SUM(sum, 16);
        out[2] = (int8_t)sum;
        SUM(sum, 24);
        out[3] = (int8_t)sum;
        out = &out[4];
    }
    for (size_t i = 0U; i < (count % 4U); i++) {
        out[i] = one(p, in[i], in2[i]);
    }
}

MPLAN_KERNEL
void mplan_add_s8_dsp(const mplan_add_s8_dsp_t *p, const int8_t *in, const int8_t *in2, int8_t *out,
                      size_t y0, size_t y1)
{
    for (size_t y = y0; y < y1; y++) {
        int8_t *const to = &out[mplan_row(&p->out_rows, y)];

        add_run(p, &in[mplan_row(&p->in_rows, y)], &in2[mplan_row(&p->in2_rows, y)], to,
                p->row_bytes);
        if ((p->act_min > -128) || (p->act_max < 127)) {
            for (size_t i = 0U; i < p->row_bytes; i++) {
                to[i] = (int8_t)mplan_clamp(to[i], p->act_min, p->act_max);
            }
        }
    }
}
