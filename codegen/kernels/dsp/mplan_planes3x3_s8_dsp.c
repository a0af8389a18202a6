/* SPDX-License-Identifier: 0BSD */
#include "mplan_planes3x3_s8_dsp.h"

#define CHANNEL_WORDS (8U) /* packed */
#define TWO (2U)           /* columns of a block */

/* A column of four rows (r2, r3), of sums above and below: the first one begins with the bias. */
#define BEGIN(above, below)                                                                        \
    "smlad " above ", r2, r4, lr; smlatb " below ", r2, r4, lr\n"                                  \
    "smlabt " above ", r3, r5, " above "; smlad " below ", r3, r5, " below "\n"

#define GO_ON(above, below, w01, w12)                                                              \
    "smlad " above ", r2, " w01 ", " above "; smlatb " below ", r2, " w01 ", " below "\n"          \
    "smlabt " above ", r3, " w12 ", " above "; smlad " below ", r3, " w12 ", " below "\n"

/* Four sums go to two rows by two columns at r1. */
#define WRITE                                                                                      \
    "ldr r2, [sp]; ldr r3, [sp, #40]; smmlar r10, r10, r2, r3; smmlar r11, r11, r2, r3\n"          \
    "smmlar r12, r12, r2, r3; smmlar lr, lr, r2, r3; ldr r2, [sp, #8]; ldr r3, [sp, #44]\n"        \
    "ssat r12, #8, r12; ssat lr, #8, lr; ssat r10, #8, r10; ssat r11, #8, r11\n"                   \
    "strb.w r12, [r1, r2]; strb.w r10, [r1]; add r1, r1, r3\n"                                     \
    "strb.w lr, [r1, r2]; strb.w r11, [r1]; add r1, r1, r3\n"

/* Two of them go to a column. */
#define WRITE_ONE                                                                                  \
    "ldr r2, [sp]; ldr r3, [sp, #40]; smmlar r10, r10, r2, r3; smmlar r12, r12, r2, r3\n"          \
    "ldr r2, [sp, #8]; ssat r12, #8, r12; ssat r10, #8, r10; strb.w r12, [r1, r2]\n"               \
    "strb.w r10, [r1]\n"

/* Stride 1, four columns of two planes (r2, r3): 36 multiply-accumulates are 24 instructions. */
#define BLOCK                                                                                      \
    "ldr.w lr, [sp, #4]; ldr.w r2, [r0], #224; ldr r3, [r0, #-208]\n" BEGIN("r10", "r12")          \
    "ldr r2, [r0, #-112]; ldr r3, [r0, #-96]\n" GO_ON("r10", "r12", "r6", "r7")                    \
    BEGIN("r11", "lr")                                                                             \
    "ldr r2, [r0]; ldr r3, [r0, #16]\n" GO_ON("r10", "r12", "r8", "r9")                            \
    GO_ON("r11", "lr", "r6", "r7")                                                                 \
    "ldr r2, [r0, #112]; ldr.w r3, [r0, #128]\n" GO_ON("r11", "lr", "r8", "r9") WRITE

/* Stride 2, a column of three planes (r2, r3, r9) whose first two words are sums' own. */
#define GO_ON2(above, below, w01, third)                                                           \
    "smlad " above ", r2, " w01 ", " above "; smlad " below ", r3, " w01 ", " below "\n"           \
    third(above, "r3") third(below, "r9")
#define LEFT(sum, row) "smlabb " sum ", " row ", r7, " sum "\n"
#define MIDDLE(sum, row) "smlabt " sum ", " row ", r7, " sum "\n"
#define RIGHT(sum, row) "smlabb " sum ", " row ", r8, " sum "\n"
#define BEGIN2(above, below)                                                                       \
    "smlad " above ", r2, r4, lr; smlad " below ", r3, r4, lr\n"                                   \
    LEFT(above, "r3") LEFT(below, "r9")

/*
 * Four channels after four, a strip of planes of each. Stride 1: words of rows 0 and 1, and 2 and 3
 * are two planes; r4 to r9 are the weights {w0x, w1x}, {w1x, w2x}. Stride 2: of three planes; r4 to
 * r6 are {w0x, w1x}, r7 {w20, w21}, the low half of r8 w22, its high half counts blocks. Of a last
 * column there is one alone. The lower row is written first: where it does not exist, the upper one
 * overwrites it.
 */
static MPLAN_NAKED void make_strip(__attribute__((unused)) const mplan_strip_t *strip)
{
    __asm volatile(
        MPLAN_ENTERED
        "push {r4-r11, lr}; sub sp, #72; str r0, [sp, #36]; ldm r0, {r2-r9}; add r1, sp, #40\n"
        "stm r1, {r2-r9}; movs r2, #0; str r2, [sp, #20]; adr.w r2, 50f; cmp r8, #1; it eq\n"
        "adreq.w r2, 51f; it hi; adrhi.w r2, 52f; orr r2, r2, #1; str r2, [sp, #64]\n"
        "adr.w r3, 60f; it hi; adrhi.w r3, 61f; cmp r9, #0; it eq; adreq.w r3, 7f\n"
        "orr r3, r3, #1; str r3, [sp, #68]\n"
        "0:\n" /* four channels */
        MPLAN_FILL_STRIP
        "5:\n" /* a channel */
        "ldr r2, [sp, #24]; ldr r0, [sp, #28]; ldm r2!, {r4-r11}; str r2, [sp, #24]\n"
        "str.w r10, [sp, #4]; str.w r11, [sp]; adds r1, r0, #4; str r1, [sp, #28]\n"
        "ldr r2, [sp, #52]\n"
        "6:\n" /* two rows */
        "ldr r3, [sp, #20]; ldr.w r10, [sp, #48]; ldm r2!, {r1, r11}; str r2, [sp, #16]\n"
        "str.w r11, [sp, #8]; add r1, r1, r3; add r10, r10, r0; str.w r10, [sp, #12]\n"
        "ldr.w pc, [sp, #64]\n"
        ".balign 4\n52:\n"
        "ldr r2, [sp, #48]; bfi r8, r2, #16, #16\n"
        ".balign 4\n53:\n"
        "ldr.w lr, [sp, #4]; ldr.w r2, [r0], #224; ldr r3, [r0, #-208]; ldr r9, [r0, #-192]\n"
        "ldr r11, [r0, #-112]\n" BEGIN2("r10", "r12")
        "smlad r10, r11, r5, r10; ldr r3, [r0, #-96]; ldr r9, [r0, #-80]\n"
        "ldr.w r2, [r0], #224; smlad r12, r3, r5, r12\n" MIDDLE("r10", "r3") MIDDLE("r12", "r9")
        "smlad r10, r2, r6, r10; smlad r11, r2, r4, lr\n"
        "ldr r3, [r0, #-208]; ldr r9, [r0, #-192]; ldr r2, [r0, #-112]\n"
        "smlad r12, r3, r6, r12; smlad lr, r3, r4, lr\n" RIGHT("r10", "r3") RIGHT("r12", "r9")
        LEFT("r11", "r3") LEFT("lr", "r9")
        "smlad r11, r2, r5, r11; ldr r3, [r0, #-96]; ldr r9, [r0, #-80]; ldr r2, [r0]\n"
        "smlad lr, r3, r5, lr\n" MIDDLE("r11", "r3") MIDDLE("lr", "r9")
        "smlad r11, r2, r6, r11; ldr r3, [r0, #16]; ldr.w r9, [r0, #32]; smlad lr, r3, r6, lr\n"
        RIGHT("r11", "r3") RIGHT("lr", "r9") WRITE
        "subs.w r8, r8, #0x10000; bpl.w 53b\n"
        "ldr.w pc, [sp, #68]\n"
        ".balign 4\n50:\n" BLOCK
        ".balign 4\n51:\n" BLOCK
        "ldr r2, [sp, #12]; cmp r0, r2; bne.w 50b\n"
        "ldr.w pc, [sp, #68]\n"
        ".balign 4\n61:\n"
        "ldr.w lr, [sp, #4]; ldr r2, [r0]; ldr r3, [r0, #16]; ldr.w r9, [r0, #32]\n"
        BEGIN2("r10", "r12")
        "ldr r2, [r0, #112]; ldr.w r3, [r0, #128]; ldr.w r9, [r0, #144]\n"
        GO_ON2("r10", "r12", "r5", MIDDLE)
        "ldr.w r2, [r0, #224]; ldr.w r3, [r0, #240]; ldr.w r9, [r0, #256]\n"
        GO_ON2("r10", "r12", "r6", RIGHT) WRITE_ONE
        "b 7f\n"
        ".balign 4\n60:\n"
        "ldr.w lr, [sp, #4]; ldr r2, [r0]; ldr r3, [r0, #16]\n" BEGIN("r10", "r12")
        "ldr r2, [r0, #112]; ldr.w r3, [r0, #128]\n" GO_ON("r10", "r12", "r6", "r7")
        "ldr.w r2, [r0, #224]; ldr.w r3, [r0, #240]\n" GO_ON("r10", "r12", "r8", "r9") WRITE_ONE
        ".balign 4\n7:\n"
        "ldr r2, [sp, #16]; ldr r3, [sp, #56]; ldr.w r10, [sp, #60]; cmp r2, r3\n"
        "sub.w r0, r0, r10; bne.w 6b\n"
        MPLAN_NEXT_CHANNEL
        "add sp, #72; pop {r4-r11, pc}\n");
}

MPLAN_KERNEL
void mplan_planes3x3_s8_dsp(const mplan_planes3x3_s8_dsp_t *p, const int8_t *in, int8_t *out,
                            size_t y0, size_t y1, int8_t *scratch)
{
    mplan_strip_t *const strip = mplan_begin_strips(p, scratch);
    const uint32_t blocks = (uint32_t)p->out_w / TWO;
    const uint32_t bytes = blocks * TWO * p->stride * MPLAN_COLUMN_BYTES;

    strip->back = bytes - strip->advance;
    strip->rest = (uint32_t)p->out_w % TWO;
    strip->channel_bytes = CHANNEL_WORDS * (uint32_t)sizeof(int32_t);
    strip->body = (p->stride == 2U) ? 2U : (blocks % 2U);
    strip->span = (p->stride == 2U) ? (blocks - 1U) : bytes;
    mplan_make_strips(p, strip, make_strip, in, out, y0, y1);
}
