/* SPDX-License-Identifier: 0BSD */
/* mplan_one_patch_halves_dsp.h - mplan_one_patch_dsp.h for weights of 4 bits. */
#ifndef MPLAN_ONE_PATCH_HALVES_DSP_H
#define MPLAN_ONE_PATCH_HALVES_DSP_H

#include "mplan_four_halves_dsp.h"

/* A step does 16 multiply-accumulates in 22 cycles, on words of mplan_four_halves_dsp.h. */
#define MPLAN_FOURS_BYTES 84 /* of code of one */
#define MPLAN_FOURS_WORDS(steps) (8U + (2U * (steps))) /* packed, of four channels */
#define MPLAN_FOURS_BEGIN "mov r4, #0; mov r5, #0; mov r6, #0; mov r7, #0;"
#define MPLAN_HALVES_WORD(word, x)                                                                 \
    "smlad r7, " word ", " x ", r7; sxtb16 lr, " word "; lsl.w " word ", " word ", #4\n"           \
    "smlad r5, lr, " x ", r5; bic.w " word ", " word ", #0x000F000F; sxtb16 lr, " word "\n"        \
    "smlad r6, " word ", " x ", r6; smlad r4, lr, " x ", r4\n"
#define MPLAN_FOURS_STEP                                                                           \
    "ldr.w r2, [r0], #4; ldr.w r3, [r1], #4; ldr.w r12, [r1], #4\n"                                \
    "sxtb16 r9, r2; sxtb16 r2, r2, ror #8\n"                                                       \
    MPLAN_HALVES_WORD("r3", "r9") MPLAN_HALVES_WORD("r12", "r2")
#define MPLAN_FOURS_SUMS                                                                           \
    "ldmia r1!, {r2, r3, r12, lr}\n" MPLAN_HALVES_SUMS("r4", "r5", "r6", "r7")                     \
    "ldr r2, [r11, #12]\n"

#include "mplan_one_patch_dsp.h"

#endif /* MPLAN_ONE_PATCH_HALVES_DSP_H */
