/* SPDX-License-Identifier: 0BSD */
/*
 * mplan_sums_f32_fpu.h - sums of products of float32 for eight or four outputs at a time, on cores
 * with a floating-point unit. Every sum takes its products in the order of the inputs, product and
 * sum rounded apart: a VMUL and a VADD take 2 cycles, a VMLA with the same result 3.
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

/**
 * Adds `count` inputs times their weights [count][8] to eight sums; the weights behind them. Eight
 * inputs take 209 cycles: 64 products.
 */
static inline const float *mplan_sum_eight_f32(const float *in, size_t count, const float *weights,
                                               float *sums)
{
    size_t blocks = count / 8U;
    size_t rest = count % 8U;

    __asm volatile(
        "vldmia %[sums], {s0-s7}\n"
        "cmp %[blocks], #0; beq 2f\n"
        "1:\n"
        "vldmia %[in]!, {s8-s15}\n"
        MPLAN_EIGHT_TWICE("s8", "s9") MPLAN_EIGHT_TWICE("s10", "s11")
        MPLAN_EIGHT_TWICE("s12", "s13") MPLAN_EIGHT_TWICE("s14", "s15")
        "subs %[blocks], %[blocks], #1; bne 1b\n"
        "2:\n"
        "cmp %[rest], #0; beq 4f\n"
        "3:\n"
        "vldmia %[in]!, {s8}; vldmia %[w]!, {s16-s23}\n"
        MPLAN_EIGHT_LOW("s8")
        "subs %[rest], %[rest], #1; bne 3b\n"
        "4:\n"
        "vstmia %[sums], {s0-s7}\n"
        : [in] "+r"(in), [w] "+r"(weights), [blocks] "+r"(blocks), [rest] "+r"(rest)
        : [sums] "r"(sums)
        : MPLAN_FPU_CLOBBERED);
    return weights;
}

/** The same for four sums, weights [count][4]. Four inputs take 58 cycles: 16 products. */
static inline const float *mplan_sum_four_f32(const float *in, size_t count, const float *weights,
                                              float *sums)
{
    size_t blocks = count / 4U;
    size_t rest = count % 4U;

    __asm volatile(
        "vldmia %[sums], {s0-s3}\n"
        "cmp %[blocks], #0; beq 2f\n"
        "1:\n"
        "vldmia %[in]!, {s8-s11}; vldmia %[w]!, {s16-s31}\n"
        MPLAN_FOUR("s8", "s16", "s17", "s18", "s19") MPLAN_FOUR("s9", "s20", "s21", "s22", "s23")
        MPLAN_FOUR("s10", "s24", "s25", "s26", "s27") MPLAN_FOUR("s11", "s28", "s29", "s30", "s31")
        "subs %[blocks], %[blocks], #1; bne 1b\n"
        "2:\n"
        "cmp %[rest], #0; beq 4f\n"
        "3:\n"
        "vldmia %[in]!, {s8}; vldmia %[w]!, {s16-s19}\n"
        MPLAN_FOUR("s8", "s16", "s17", "s18", "s19")
        "subs %[rest], %[rest], #1; bne 3b\n"
        "4:\n"
        "vstmia %[sums], {s0-s3}\n"
        : [in] "+r"(in), [w] "+r"(weights), [blocks] "+r"(blocks), [rest] "+r"(rest)
        : [sums] "r"(sums)
        : MPLAN_FPU_CLOBBERED);
    return weights;
}

/** The first `count` sums within limits. */
static inline void mplan_store_sums_f32(const float *sums, float *out, size_t count, float low,
                                        float high)
{
    for (size_t i = 0U; i < count; i++) {
        out[i] = mplan_clamp_f32(sums[i], low, high);
    }
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_SUMS_F32_FPU_H */
