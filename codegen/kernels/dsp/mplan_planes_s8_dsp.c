/* SPDX-License-Identifier: 0BSD */
#include "mplan_planes_s8_dsp.h"

#define THREE (3U) /* columns of a block */

/* A column of weights, 12 multiply-accumulates in 10 cycles: one of three columns (x, y, z) of the
 * input is new. r4 to r6 are sums of the upper row, r7 to r9 of the lower one. */
#define TAPS(at, x, y, z)                                                                          \
    "ldr.w " z ", [r0, #" at "]; ldr.w r2, [r1], #4; ldr.w r3, [r1], #4\n"                         \
    "smlad r4, " x ", r2, r4; smlad r5, " y ", r2, r5; smlad r6, " z ", r2, r6\n"                  \
    "smlad r7, " x ", r3, r7; smlad r8, " y ", r3, r8; smlad r9, " z ", r3, r9\n"

#define BEGIN(at0, at1) "ldr.w r10, [r0, #" at0 "]; ldr.w r11, [r0, #" at1 "]\n"
#define ONE(at) TAPS(at, "r10", "r11", "r12")
#define TWO(at0, at1) ONE(at0) TAPS(at1, "r11", "r12", "r10")
#define ALL(at0, at1, at2) TWO(at0, at1) TAPS(at2, "r12", "r10", "r11")
#define BODY(name, taps)                                                                           \
    ".balign 4\n" name ":\n" taps "adds r0, #16; cmp r1, lr; bne.w " name "b\n"

/*
 * Four channels after four, a strip of planes of each: two rows by three columns at a time, plane
 * by plane. The columns of a row that are left over are made with the one or two before them. The
 * lower row is written first: where it does not exist, the upper one overwrites it. The frame goes
 * on: 88 first plane of the row, 92 `rest` until the last block of the row is made, 96 weights and
 * 100 their end, 104 where the output goes.
 */
static MPLAN_NAKED void make_strip(__attribute__((unused)) const mplan_strip_t *strip)
{
    __asm volatile(
        MPLAN_ENTERED
        "push {r4-r11, lr}; sub sp, #108; str r0, [sp, #36]; ldm r0!, {r2-r9}; add r1, sp, #40\n"
        "stm r1!, {r2-r9}; ldm r0, {r3-r6}; stm r1, {r3-r6}; movs r2, #0; str r2, [sp, #20]\n"
        "adr.w r3, 50f; cmp r8, #1; it eq; adreq.w r3, 51f; cmp r8, #2; it eq; adreq.w r3, 52f\n"
        "it hi; adrhi.w r3, 53f; orr r3, r3, #1; str r3, [sp, #64]\n"
        "0:\n" /* four channels */
        MPLAN_FILL_STRIP
        "5:\n" /* a channel */
        "ldr r2, [sp, #24]; ldr r5, [sp, #84]; ldr r0, [sp, #28]; ldm r2!, {r3, r4}\n"
        "str r3, [sp, #4]; str r4, [sp]; str r2, [sp, #96]; add r2, r2, r5; str r2, [sp, #100]\n"
        "str r2, [sp, #24]; str r0, [sp, #88]; adds r2, r0, #4; str r2, [sp, #28]\n"
        "ldr r2, [sp, #52]\n"
        "6:\n" /* two rows */
        "ldr r0, [sp, #88]; ldr r3, [sp, #20]; ldr r4, [sp, #48]; ldr r5, [sp, #68]\n"
        "ldm r2!, {r6, r7}; str r2, [sp, #16]; add r6, r6, r3; add r4, r4, r0; str r6, [sp, #104]\n"
        "str r7, [sp, #8]; str r4, [sp, #12]; str r5, [sp, #92]\n"
        "8:\n" /* a block */
        "ldr r1, [sp, #96]; ldr r4, [sp, #4]; ldr.w lr, [sp, #100]; mov r5, r4; mov r6, r4\n"
        "mov r7, r4; mov r8, r4; mov r9, r4; ldr.w pc, [sp, #64]\n"
        BODY("50", BEGIN("0", "112") ALL("224", "336", "448") TWO("560", "672"))
        "b.w 3f\n"
        BODY("51", BEGIN("0", "112") ALL("224", "336", "448") ALL("560", "672", "784") ONE("896"))
        "b.w 3f\n"
        BODY("52", BEGIN("0", "224") ALL("448", "672", "896") BEGIN("112", "336") TWO("560", "784"))
        "b.w 3f\n"
        BODY("53", BEGIN("0", "224") ALL("448", "672", "896") ONE("1120") BEGIN("112", "336")
             ALL("560", "784", "1008"))
        "3:\n"
        "ldr r2, [sp]; ldr r3, [sp, #40]; ldr.w r10, [sp, #104]; ldr.w r11, [sp, #44]\n"
        "ldr.w r12, [sp, #8]; smmlar r4, r4, r2, r3; smmlar r5, r5, r2, r3\n"
        "smmlar r6, r6, r2, r3; smmlar r7, r7, r2, r3; smmlar r8, r8, r2, r3\n"
        "smmlar r9, r9, r2, r3; ssat r4, #8, r4; ssat r5, #8, r5; ssat r6, #8, r6\n"
        "ssat r7, #8, r7; ssat r8, #8, r8; ssat r9, #8, r9\n"
        "strb.w r7, [r10, r12]; strb.w r4, [r10]; add r10, r10, r11\n"
        "strb.w r8, [r10, r12]; strb.w r5, [r10]; add r10, r10, r11\n"
        "strb.w r9, [r10, r12]; strb.w r6, [r10]; add r10, r10, r11; str.w r10, [sp, #104]\n"
        "ldr r2, [sp, #60]; ldr r3, [sp, #12]; subs r0, r0, r2; cmp r0, r3; bne.w 8b\n"
        "ldr r2, [sp, #92]; cmp r2, #0; beq 4f\n"
        "subs r0, r0, r2; ldr r3, [sp, #76]; ldr r4, [sp, #80]; movs r2, #0; add r4, r4, r0\n"
        "sub.w r10, r10, r3; str r2, [sp, #92]; str r4, [sp, #12]; str.w r10, [sp, #104]\n"
        "b.w 8b\n"
        "4:\n"
        "ldr r0, [sp, #88]; ldr r4, [sp, #72]; ldr r2, [sp, #16]; ldr r3, [sp, #56]\n"
        "add r0, r0, r4; str r0, [sp, #88]; cmp r2, r3; bne.w 6b\n"
        MPLAN_NEXT_CHANNEL
        "add sp, #108; pop {r4-r11, pc}\n");
}

MPLAN_KERNEL
void mplan_planes_s8_dsp(const mplan_planes_s8_dsp_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1, int8_t *scratch)
{
    mplan_strip_t *const strip = mplan_begin_strips(p, scratch);
    const uint32_t seen = mplan_pairs_seen(p);
    const uint32_t missing = (THREE - ((uint32_t)p->out_w % THREE)) % THREE;

    strip->body = ((p->stride == 2U) ? 2U : 0U) + ((p->kernel == 7U) ? 1U : 0U);
    strip->block = THREE * p->stride * MPLAN_COLUMN_BYTES;
    strip->span = (p->out_w / THREE) * strip->block;
    strip->back = (seen * MPLAN_PLANE_BYTES) - strip->block;
    strip->rest = missing * p->stride * MPLAN_COLUMN_BYTES;
    strip->out_shift = missing * p->channels;
    strip->weights_bytes = 8U * seen * p->kernel;
    strip->channel_bytes = 8U + strip->weights_bytes;
    mplan_make_strips(p, strip, make_strip, in, out, y0, y1);
}
