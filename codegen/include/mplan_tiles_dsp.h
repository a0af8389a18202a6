/* SPDX-License-Identifier: 0BSD */
/* mplan_tiles_dsp.h - what the tiles of mplan_winograd_s8_dsp share: products of four of them. */
#ifndef MPLAN_TILES_DSP_H
#define MPLAN_TILES_DSP_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_TILES_LANES (4U) /* tiles that share each word of weights */
#define MPLAN_TILES_UNROLL (8U)
#define MPLAN_TILES_STEP_BYTES 56 /* of code */

/* What the assembly reads, at the start of the scratch. Its offsets stand there. */
typedef struct {
    const int32_t *packed;   /*  0 */
    const int32_t *end;      /*  4: of the packed channels */
    uint32_t *inputs;        /*  8: transformed: for each two input channels [position][tile] */
    int32_t *sums;           /* 12: [position][tile][channel of two] */
    uint32_t skip;           /* 16: bytes of code before the entry of the loop */
    int32_t back;            /* 20: bytes from a first word to the one the loop counts from */
    const uint32_t *stop;    /* 24: behind the inputs */
    int32_t zero_point;      /* 28: of the output */
    int8_t *const *outs_end; /* 32: behind those of the tiles that there are */
    uint32_t apart;          /* 36: bytes from an input pixel to the next */
    const int8_t *lines[6];  /* 40: input rows of a tile, from its first pixel on */
} mplan_tiles_t;             /* 64: where all pixels of each tile go, row by row */
MPLAN_STATIC_ASSERT(mplan_tiles_as_in_assembly,
                    MPLAN_AT(mplan_tiles_t, packed, 0U) && MPLAN_AT(mplan_tiles_t, end, 4U) &&
                        MPLAN_AT(mplan_tiles_t, inputs, 8U) &&
                        MPLAN_AT(mplan_tiles_t, sums, 12U) && MPLAN_AT(mplan_tiles_t, skip, 16U) &&
                        MPLAN_AT(mplan_tiles_t, back, 20U) && MPLAN_AT(mplan_tiles_t, stop, 24U) &&
                        MPLAN_AT(mplan_tiles_t, zero_point, 28U) &&
                        MPLAN_AT(mplan_tiles_t, outs_end, 32U) &&
                        MPLAN_AT(mplan_tiles_t, apart, 36U) &&
                        MPLAN_AT(mplan_tiles_t, lines, 40U) && (sizeof(mplan_tiles_t) == 64U));

#define MPLAN_TILES_NAKED MPLAN_NAKED
#define MPLAN_TILES_UNUSED __attribute__((unused))

/* Two channels of four tiles from r1 on, by the weights in r12 and lr. */
#define MPLAN_TILES_FIRST(at) "ldr.w r2, [r1, #" at "]; ldr.w r3, [r1, #" at " + 4]\n"
#define MPLAN_TILES_WEIGHTS "ldr.w r12, [r0], #4; ldr.w lr, [r0], #4\n"

/* 16 products in 16 cycles, onto the sums in r4 to r11. */
#define MPLAN_TILES_STEP(at)                                                                       \
    MPLAN_TILES_FIRST(at) MPLAN_TILES_WEIGHTS                                                      \
    "smlad r4, r2, r12, r4; smlad r5, r2, lr, r5; smlad r6, r3, r12, r6; smlad r7, r3, lr, r7\n"   \
    MPLAN_TILES_FIRST(at " + 8")                                                                   \
    "smlad r8, r2, r12, r8; smlad r9, r2, lr, r9\n"                                                \
    "smlad r10, r3, r12, r10; smlad r11, r3, lr, r11\n"

/*
 * All positions of two output channels.
 *
 * r0 walks over the weights. For each position `first` begins the sums with the first step, and
 * the loop of eight steps, `apart` bytes from one to the next, is entered where the others fill it
 * up. The stack: 0 the position's first word, 4 where its sums go, 8 the entry, 12 stop, 16 the end
 * of the positions, 20 job, 24 the channel, 28 back.
 */
#define MPLAN_TILES_PRODUCTS(apart, first)                                                         \
    "ldr r3, [sp, #20]; ldr r1, [r3, #8]; ldr r2, [r3, #12]; str r1, [sp]; str r2, [sp, #4]\n"     \
    ".balign 4\n"                                                                                  \
    "3:\n" first                                                                                   \
    "ldr r2, [sp, #8]; ldr r3, [sp, #28]; add r1, r1, r3; bx r2\n"                                 \
    ".balign 4\n2:\n"                                                                              \
    MPLAN_TILES_STEP("0 * " apart) MPLAN_TILES_STEP("1 * " apart)                                  \
    MPLAN_TILES_STEP("2 * " apart) MPLAN_TILES_STEP("3 * " apart)                                  \
    MPLAN_TILES_STEP("4 * " apart) MPLAN_TILES_STEP("5 * " apart)                                  \
    MPLAN_TILES_STEP("6 * " apart) MPLAN_TILES_STEP("7 * " apart)                                  \
    MPLAN_CODE_BYTES("2b", 8 * MPLAN_TILES_STEP_BYTES)                                             \
    "ldr r2, [sp, #12]; add.w r1, r1, #8 * " apart "; cmp r1, r2; blo.w 2b\n"                      \
    "ldr r1, [sp]; ldr r2, [sp, #4]; ldr r3, [sp, #16]; stmia r2!, {r4-r11}\n"                     \
    "add.w r1, r1, #16; str r1, [sp]; str r2, [sp, #4]; cmp r1, r3; bne.w 3b\n"

/* The stack of the products; r0 = job before, the weights behind. */
#define MPLAN_TILES_BEGIN(bytes, apart)                                                            \
    "push {r4-r11, lr}; sub sp, sp, #" bytes "; str r0, [sp, #20]\n"                               \
    "ldr r1, [r0, #16]; adr r2, 2f; add r2, r2, r1; orr r2, r2, #1; str r2, [sp, #8]\n"            \
    "ldr r1, [r0, #24]; ldr r2, [r0, #20]; str r1, [sp, #12]; str r2, [sp, #28]\n"                 \
    "ldr r1, [r0, #8]; mov r2, #0; add r1, r1, #" apart "; str r1, [sp, #16]; str r2, [sp, #24]\n" \
    "ldr r0, [r0]\n"

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TILES_DSP_H */
