/* SPDX-License-Identifier: 0BSD */
/* mplan_patches_s8_mve.h - what lies under windows, copied in order by vectors (Helium). */
#ifndef MPLAN_PATCHES_S8_MVE_H
#define MPLAN_PATCHES_S8_MVE_H

#include "mplan.h"

#if !defined(__ARM_FEATURE_MVE) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs vectors, MVE (-mcpu, -mfloat-abi), and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_UNUSED __attribute__((unused))

/* `run` bytes from `at` on of every line that lies inside; in a patch they are `apart`. */
static MPLAN_NAKED void mplan_copy_lines(MPLAN_UNUSED const int8_t *const *lines,
                                         MPLAN_UNUSED size_t rows, MPLAN_UNUSED int32_t at,
                                         MPLAN_UNUSED int8_t *to, MPLAN_UNUSED size_t run,
                                         MPLAN_UNUSED size_t apart)
{
    __asm volatile("push {r4-r8, lr}; ldrd r4, r8, [sp, #24]\n"
                   "1: ldr r5, [r0], #4; cbz r5, 3f; add r5, r5, r2; mov r7, r3\n"
                   "wlstp.8 lr, r4, 3f\n"
                   "2: vldrb.8 q0, [r5], #16; vstrb.8 q0, [r7], #16; letp lr, 2b\n"
                   "3: add r3, r3, r8; subs r1, #1; bne 1b; pop {r4-r8, pc}\n");
}

/* Patches of pixels whose windows lie inside. */
typedef struct {
    const int8_t *const *lines; /*  0 */
    size_t rows;                /*  4: of a window */
    size_t at;                  /*  8: of the first window in its lines */
    int8_t *to;                 /* 12 */
    size_t run;                 /* 16: bytes of a row of a window */
    size_t advance;             /* 20: from window to window */
    size_t patch_bytes;         /* 24 */
    size_t count;               /* 28: of pixels, at least 1 */
} mplan_patches_t;
MPLAN_STATIC_ASSERT(mplan_patches_as_in_assembly,
                    MPLAN_AT(mplan_patches_t, lines, 0U) && MPLAN_AT(mplan_patches_t, rows, 4U) &&
                        MPLAN_AT(mplan_patches_t, at, 8U) && MPLAN_AT(mplan_patches_t, to, 12U) &&
                        MPLAN_AT(mplan_patches_t, run, 16U) &&
                        MPLAN_AT(mplan_patches_t, advance, 20U) &&
                        MPLAN_AT(mplan_patches_t, patch_bytes, 24U) &&
                        MPLAN_AT(mplan_patches_t, count, 28U));

static MPLAN_NAKED void mplan_copy_windows(MPLAN_UNUSED const mplan_patches_t *patches)
{
    __asm volatile("push {r4-r11, lr}; ldm r0, {r0-r7}\n"
                   "1: mov r8, r0; mov r9, r3; mov r12, r1\n" /* a pixel */
                   "2: ldr r10, [r8], #4; mov r11, r9; add r10, r10, r2; dlstp.8 lr, r4\n"
                   "3: vldrb.8 q0, [r10], #16; vstrb.8 q0, [r11], #16; letp lr, 3b\n"
                   "add r9, r9, r4; subs.w r12, r12, #1; bne 2b\n"
                   "add r2, r2, r5; add r3, r3, r6; subs r7, #1; bne 1b; pop {r4-r11, pc}\n");
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_PATCHES_S8_MVE_H */
