/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_sums_f32_fpu.h - sums of products of float32 for eight, four or two outputs at a time, on
 * cores with a floating-point unit. Every sum takes its products in the order of the inputs,
 * product and sum rounded apart: a VMUL and a VADD take 2 cycles, a VMLA with the same result 3.
 */
#ifndef MPLAN_SUMS_F32_FPU_H
#define MPLAN_SUMS_F32_FPU_H

#include <string.h>

#include "mplan.h"

#if !defined(__ARM_FP) || ((__ARM_FP & 0x4) == 0)
#error "mplan: needs a floating-point unit (-mfpu, -mfloat-abi)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The weights of eight outputs, in registers from w on, times an input, onto the sums. */
#define MPLAN_EIGHT_LOW(x)                                                                        \
    "vmul.f32 s16, s16, " x "; vmul.f32 s17, s17, " x "; vmul.f32 s18, s18, " x "\n"              \
    "vmul.f32 s19, s19, " x "; vmul.f32 s20, s20, " x "; vmul.f32 s21, s21, " x "\n"              \
    "vmul.f32 s22, s22, " x "; vmul.f32 s23, s23, " x "\n"                                        \
    "vadd.f32 s0, s0, s16; vadd.f32 s1, s1, s17; vadd.f32 s2, s2, s18; vadd.f32 s3, s3, s19\n"    \
    "vadd.f32 s4, s4, s20; vadd.f32 s5, s5, s21; vadd.f32 s6, s6, s22; vadd.f32 s7, s7, s23\n"
#define MPLAN_EIGHT_HIGH(x)                                                                       \
    "vmul.f32 s24, s24, " x "; vmul.f32 s25, s25, " x "; vmul.f32 s26, s26, " x "\n"              \
    "vmul.f32 s27, s27, " x "; vmul.f32 s28, s28, " x "; vmul.f32 s29, s29, " x "\n"              \
    "vmul.f32 s30, s30, " x "; vmul.f32 s31, s31, " x "\n"                                        \
    "vadd.f32 s0, s0, s24; vadd.f32 s1, s1, s25; vadd.f32 s2, s2, s26; vadd.f32 s3, s3, s27\n"    \
    "vadd.f32 s4, s4, s28; vadd.f32 s5, s5, s29; vadd.f32 s6, s6, s30; vadd.f32 s7, s7, s31\n"
#define MPLAN_EIGHT_TWICE(x, next) \
    "vldmia %[w]!, {s16-s31}\n" MPLAN_EIGHT_LOW(x) MPLAN_EIGHT_HIGH(next)
#define MPLAN_FOUR(x, a, b, c, d)                                                   \
    "vmul.f32 " a ", " a ", " x "; vmul.f32 " b ", " b ", " x "\n"                  \
    "vmul.f32 " c ", " c ", " x "; vmul.f32 " d ", " d ", " x "\n"                  \
    "vadd.f32 s0, s0, " a "; vadd.f32 s1, s1, " b "; vadd.f32 s2, s2, " c "\n"      \
    "vadd.f32 s3, s3, " d "\n"
#define MPLAN_FPU_CLOBBERED                                                                      \
    "cc", "memory", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11",     \
        "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23",       \
        "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31"

#define MPLAN_TWO(x, a, b)                                        \
    "vmul.f32 " a ", " a ", " x "; vmul.f32 " b ", " b ", " x "\n" \
    "vadd.f32 s0, s0, " a "; vadd.f32 s1, s1, " b "\n"

/* As `mplan_clamp_f32`: no number stays none. */
#define MPLAN_LIMIT(x)                                                             \
    "vcmp.f32 " x ", s16; vmrs APSR_nzcv, fpscr; it mi; vmovmi.f32 " x ", s16\n"    \
    "vcmp.f32 " x ", s17; vmrs APSR_nzcv, fpscr; it gt; vmovgt.f32 " x ", s17\n"
#define MPLAN_LIMIT_TWO MPLAN_LIMIT("s0") MPLAN_LIMIT("s1")
#define MPLAN_LIMIT_FOUR MPLAN_LIMIT_TWO MPLAN_LIMIT("s2") MPLAN_LIMIT("s3")
/* No number, unless all sums are finite. */
#define MPLAN_TOTAL_TWO "vadd.f32 s18, s0, s1\n"
#define MPLAN_TOTAL_FOUR MPLAN_TOTAL_TWO "vadd.f32 s18, s18, s2; vadd.f32 s18, s18, s3\n"
#define MPLAN_TOTAL_EIGHT                                                                       \
    MPLAN_TOTAL_FOUR "vadd.f32 s18, s18, s4; vadd.f32 s18, s18, s5; vadd.f32 s18, s18, s6\n"    \
                     "vadd.f32 s18, s18, s7\n"
#define MPLAN_LIMIT_EIGHT \
    MPLAN_LIMIT_FOUR MPLAN_LIMIT("s4") MPLAN_LIMIT("s5") MPLAN_LIMIT("s6") MPLAN_LIMIT("s7")

/* Runs of inputs, each `block` by block and `one` by one behind them; then limits, if there are. */
#define MPLAN_SUM_LINES(sums, bits, ones, block, one, total, limit)                                \
    "ldr %[at], [%[ends]]; vldmia %[at], {" sums "}; cmp %[lines], #0; beq 6f\n"                   \
    "5:\n mov %[at], %[in]; lsrs %[turns], %[count], #" bits "; beq 2f\n"                          \
    "1:\n" block "subs %[turns], %[turns], #1; bne 1b\n"                                           \
    "2:\n ands %[turns], %[count], #" ones "; beq 4f\n"                                            \
    "3:\n" one "subs %[turns], %[turns], #1; bne 3b\n"                                             \
    "4:\n add %[in], %[in], %[stride]; add %[w], %[w], %[skip]\n"                                  \
    "subs %[lines], %[lines], #1; bne 5b\n"                                                        \
    "6:\n ldrd %[turns], %[at], [%[ends], #4]\n"                                                   \
    "cmp %[at], #0; beq 7f\n" total                                                                \
    "vsub.f32 s18, s18, s18; vcmp.f32 s18, #0; vmrs APSR_nzcv, fpscr; bne 8f\n"                    \
    "ldr %[at], [%[ends], #12]; cmp %[at], #0; bne 7f\n"                                           \
    "8:\n ldr %[at], [%[ends], #8]; vldmia %[at], {s16, s17}\n" limit                              \
    "7:\n vstmia %[turns], {" sums "}\n"                                                           \
    : [in] "+r"(in), [w] "+r"(weights), [lines] "+r"(lines), [at] "=&r"(at), [turns] "=&r"(turns)  \
    : [count] "r"(run->count), [stride] "r"(run->stride), [skip] "r"(skip), [ends] "r"(ends)       \
    : MPLAN_FPU_CLOBBERED

#define MPLAN_FLOAT_END (3.40282347e+38F)

/* Inputs that are taken with weights that lie together. */
typedef struct {
    const int8_t *in; /* the first line */
    size_t lines;
    size_t stride;  /* bytes from one line to the next */
    size_t count;   /* inputs of a line */
    size_t skipped; /* inputs between two lines that have weights and are not taken */
    const float *finite; /* limits, where they are those of finite numbers; else NULL */
} mplan_run_f32_t;

/** Those limits, or NULL. */
static inline const float *mplan_finite_f32(const float *limits)
{
    return ((limits[0] <= -MPLAN_FLOAT_END) && (limits[1] >= MPLAN_FLOAT_END)) ? limits : NULL;
}

/** Of so many outputs that are left the first 8, 4 or 2 are summed at a time: with zeros behind. */
static inline size_t mplan_width_f32(size_t left)
{
    return (left > 6U) ? 8U : ((left > 2U) ? 4U : 2U);
}

/**
 * to = from + inputs of a run times weights [inputs][width], within two limits, or NULL. Eight
 * inputs of eight outputs take 209 cycles, four of four 58, eight of two 62.
 */
static inline void mplan_sum_f32(const mplan_run_f32_t *run, const float *weights, size_t width,
                                 const float *from, float *to, const float *limits)
{
    const int8_t *in = run->in;
    size_t lines = run->lines;
    const size_t skip = run->skipped * width * sizeof(float);
    const float *const ends[4] = {from, to, limits, run->finite};
    const int8_t *at;
    size_t turns;

    if (width == 8U) {
        __asm volatile(MPLAN_SUM_LINES(
            "s0-s7", "3", "7",
            "vldmia %[at]!, {s8-s15}\n"
            MPLAN_EIGHT_TWICE("s8", "s9") MPLAN_EIGHT_TWICE("s10", "s11")
            MPLAN_EIGHT_TWICE("s12", "s13") MPLAN_EIGHT_TWICE("s14", "s15"),
            "vldmia %[at]!, {s8}; vldmia %[w]!, {s16-s23}\n" MPLAN_EIGHT_LOW("s8"),
            MPLAN_TOTAL_EIGHT, MPLAN_LIMIT_EIGHT));
    } else if (width == 4U) {
        __asm volatile(MPLAN_SUM_LINES(
            "s0-s3", "2", "3",
            "vldmia %[at]!, {s8-s11}; vldmia %[w]!, {s16-s31}\n"
            MPLAN_FOUR("s8", "s16", "s17", "s18", "s19")
            MPLAN_FOUR("s9", "s20", "s21", "s22", "s23")
            MPLAN_FOUR("s10", "s24", "s25", "s26", "s27")
            MPLAN_FOUR("s11", "s28", "s29", "s30", "s31"),
            "vldmia %[at]!, {s8}; vldmia %[w]!, {s16-s19}\n"
            MPLAN_FOUR("s8", "s16", "s17", "s18", "s19"),
            MPLAN_TOTAL_FOUR, MPLAN_LIMIT_FOUR));
    } else {
        __asm volatile(MPLAN_SUM_LINES(
            "s0-s1", "3", "7",
            "vldmia %[at]!, {s8-s15}; vldmia %[w]!, {s16-s31}\n"
            MPLAN_TWO("s8", "s16", "s17") MPLAN_TWO("s9", "s18", "s19")
            MPLAN_TWO("s10", "s20", "s21") MPLAN_TWO("s11", "s22", "s23")
            MPLAN_TWO("s12", "s24", "s25") MPLAN_TWO("s13", "s26", "s27")
            MPLAN_TWO("s14", "s28", "s29") MPLAN_TWO("s15", "s30", "s31"),
            "vldmia %[at]!, {s8}; vldmia %[w]!, {s16-s17}\n" MPLAN_TWO("s8", "s16", "s17"),
            MPLAN_TOTAL_TWO, MPLAN_LIMIT_TWO));
    }
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_SUMS_F32_FPU_H */
