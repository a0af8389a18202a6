/* SPDX-License-Identifier: 0BSD */
/* mplan_halves_dsp.h - sums over int16 inputs, two products at a time. */
#ifndef MPLAN_HALVES_DSP_H
#define MPLAN_HALVES_DSP_H

#include <string.h>

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Four taps of an output whose weights are int8, {0, 2, 1, 3} in a word: no shuffle of inputs. */
#define MPLAN_HALVES_NARROW(w, acc)                                                               \
    "sxtb16 %[t], %[" w "]; sxtb16 %[" w "], %[" w "], ror #8\n"                                  \
    "smlad %[" acc "], %[x0], %[t], %[" acc "]; smlad %[" acc "], %[x1], %[" w "], %[" acc "]\n"

/* Of four outputs, 16 products in 25 cycles. */
#define MPLAN_HALVES_NARROW_STEP                                                                  \
    "ldr %[x0], [%[in]], #4; ldr %[x1], [%[in]], #4; ldr %[w0], [%[at]], #4\n"                    \
    "ldr %[w1], [%[at]], #4\n" MPLAN_HALVES_NARROW("w0", "a0") MPLAN_HALVES_NARROW("w1", "a1")    \
    "ldr %[w0], [%[at]], #4; ldr %[w1], [%[at]], #4\n"                                            \
    MPLAN_HALVES_NARROW("w0", "a2") MPLAN_HALVES_NARROW("w1", "a3")

/* Two taps of an output whose weights are int16. */
#define MPLAN_HALVES_WIDE(x, w, acc) "smlad %[" acc "], %[" x "], %[" w "], %[" acc "]\n"

/* Of four outputs, in 21 cycles. */
#define MPLAN_HALVES_WIDE_STEP                                                                    \
    "ldr %[x0], [%[in]], #4; ldr %[x1], [%[in]], #4; ldr %[w0], [%[at]], #4\n"                    \
    "ldr %[w1], [%[at]], #4; ldr %[t], [%[at]], #4\n"                                             \
    MPLAN_HALVES_WIDE("x0", "w0", "a0") MPLAN_HALVES_WIDE("x0", "w1", "a1")                       \
    MPLAN_HALVES_WIDE("x0", "t", "a2")                                                            \
    "ldr %[w0], [%[at]], #4; ldr %[w1], [%[at]], #4; ldr %[t], [%[at]], #4\n"                     \
    MPLAN_HALVES_WIDE("x0", "w0", "a3") MPLAN_HALVES_WIDE("x1", "w1", "a0")                       \
    MPLAN_HALVES_WIDE("x1", "t", "a1")                                                            \
    "ldr %[w0], [%[at]], #4; ldr %[w1], [%[at]], #4\n"                                            \
    MPLAN_HALVES_WIDE("x1", "w0", "a2") MPLAN_HALVES_WIDE("x1", "w1", "a3")

/** Sums of four outputs, the inputs from `in` on and the words from `at` on. */
typedef struct {
    const int16_t *in;
    const int32_t *at;
    int32_t a0;
    int32_t a1;
    int32_t a2;
    int32_t a3;
} mplan_halves_t;

/** One or four steps of four taps, by the instructions of one. */
#define MPLAN_HALVES_STEPS(s, instructions)                                                       \
    do {                                                                                          \
        int32_t x0_;                                                                              \
        int32_t x1_;                                                                              \
        int32_t w0_;                                                                              \
        int32_t w1_;                                                                              \
        int32_t t_;                                                                               \
        __asm volatile(instructions                                                               \
                       : [in] "+r"((s).in), [at] "+r"((s).at), [a0] "+r"((s).a0),                 \
                         [a1] "+r"((s).a1), [a2] "+r"((s).a2), [a3] "+r"((s).a3),                 \
                         [x0] "=&r"(x0_), [x1] "=&r"(x1_), [w0] "=&r"(w0_), [w1] "=&r"(w1_),      \
                         [t] "=&r"(t_)                                                            \
                       :                                                                          \
                       : "memory");                                                               \
    } while (0)

/* Weights of four taps of two outputs: t and w0 of the first one, u and w1 of the second one. */
#define MPLAN_HALVES_NARROW_PAIR                                                                  \
    "ldr %[x0], [%[in]], #4; ldr %[x1], [%[in]], #4; ldr %[w0], [%[at]], #4\n"                    \
    "ldr %[w1], [%[at]], #4; sxtb16 %[t], %[w0]; sxtb16 %[w0], %[w0], ror #8\n"                   \
    "sxtb16 %[u], %[w1]; sxtb16 %[w1], %[w1], ror #8\n"
#define MPLAN_HALVES_WIDE_PAIR                                                                    \
    "ldr %[x0], [%[in]], #4; ldr %[x1], [%[in]], #4; ldr %[t], [%[at]], #4\n"                     \
    "ldr %[u], [%[at]], #4; ldr %[w0], [%[at]], #4; ldr %[w1], [%[at]], #4\n"

/* Of two outputs and two pixels, 16 products in 20 cycles, or in 18 with weights of int16. */
#define MPLAN_HALVES_PAIR_STEP(weights)                                                           \
    weights                                                                                       \
    "smlad %[a0], %[x0], %[t], %[a0]; smlad %[a1], %[x0], %[u], %[a1]\n"                          \
    "smlad %[a0], %[x1], %[w0], %[a0]; smlad %[a1], %[x1], %[w1], %[a1]\n"                        \
    "ldr %[x0], [%[in2]], #4; ldr %[x1], [%[in2]], #4\n"                                          \
    "smlad %[a2], %[x0], %[t], %[a2]; smlad %[a3], %[x0], %[u], %[a3]\n"                          \
    "smlad %[a2], %[x1], %[w0], %[a2]; smlad %[a3], %[x1], %[w1], %[a3]\n"

/** One or two steps of four taps, of the pixel at s.in and the one at in2. */
#define MPLAN_HALVES_PAIR_STEPS(s, second, instructions)                                          \
    do {                                                                                          \
        int32_t x0_;                                                                              \
        int32_t x1_;                                                                              \
        int32_t w0_;                                                                              \
        int32_t w1_;                                                                              \
        int32_t t_;                                                                               \
        int32_t u_;                                                                               \
        __asm volatile(instructions                                                               \
                       : [in] "+r"((s).in), [in2] "+r"(second), [at] "+r"((s).at),                \
                         [a0] "+r"((s).a0), [a1] "+r"((s).a1), [a2] "+r"((s).a2),                 \
                         [a3] "+r"((s).a3), [x0] "=&r"(x0_), [x1] "=&r"(x1_), [w0] "=&r"(w0_),    \
                         [w1] "=&r"(w1_), [t] "=&r"(t_), [u] "=&r"(u_)                            \
                       :                                                                          \
                       : "memory");                                                               \
    } while (0)

/** A sum, requantized: |sum| * 2^shift is in int32, which the generator has proved. */
static inline int32_t mplan_halves_result(int32_t sum, uint32_t shift, int32_t multiplier,
                                          int32_t zero_point)
{
    int32_t result = MPLAN_CAST(int32_t, MPLAN_CAST(uint32_t, sum) << shift);

    __asm("smmlar %0, %0, %1, %2" : "+r"(result) : "r"(multiplier), "r"(zero_point));
    return result;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_HALVES_DSP_H */
