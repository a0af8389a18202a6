/* SPDX-License-Identifier: 0BSD */
/* mplan_tiles_armv6m.h - the functions of mplan_tiles.h in 16-bit instructions. */
#ifndef MPLAN_TILES_ARMV6M_H
#define MPLAN_TILES_ARMV6M_H

#define UNREAD __attribute__((unused))
#define NAKED MPLAN_NAKED
#define SAVE                                                                                       \
    ".syntax unified\n"                                                                            \
    "push {r4-r7, lr}; mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11; push {r4-r7}\n"
#define RESTORE                                                                                    \
    "pop {r4-r7}; mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7; pop {r4-r7, pc}\n"

/* Two pixels, as they stand in the table, to register a; b is another one. */
#define PIXELS(a, b)                                                                               \
    "ldm r1!, {" a ", " b "}; ldrsb " a ", [" a ", r0]; ldrsb " b ", [" b ", r0]\n"                \
    "lsls " b ", " b ", #16; adds " a ", " a ", " b "\n"

/* A row of pixels, the sixth of which comes first, to the columns of the stack. */
#define ACROSS(y)                                                                                  \
    PIXELS("r2", "r3") "mov r8, r2\n" PIXELS("r2", "r3") PIXELS("r3", "r4") PIXELS("r4", "r5")     \
    PIXELS("r5", "r6") PIXELS("r6", "r7")                                                          \
    "subs r2, r2, r4; lsls r2, r2, #2; subs r7, r6, r4; adds r2, r2, r7\n"                         \
    "str r2, [sp, #4 * " y "]; lsls r4, r4, #2; subs r4, r6, r4; lsls r6, r3, #2\n"                \
    "subs r6, r5, r6; adds r2, r4, r6; str r2, [sp, #24 + 4 * " y "]; subs r4, r4, r6\n"           \
    "str r4, [sp, #48 + 4 * " y "]; subs r3, r5, r3; lsls r3, r3, #1; adds r2, r7, r3\n"           \
    "str r2, [sp, #72 + 4 * " y "]; subs r7, r7, r3; str r7, [sp, #96 + 4 * " y "]\n"              \
    "mov r2, r8; subs r2, r2, r5; lsls r3, r3, #1; subs r2, r2, r3\n"                              \
    "str r2, [sp, #120 + 4 * " y "]\n"

#define DOWN_ONE(r) "adds " r ", " r ", r0; eors " r ", r0; str " r ", [r1]; add r1, r10\n"

/* A column of the stack to six positions. */
#define DOWN(x)                                                                                    \
    "add r0, sp, #24 * " x "; ldm r0!, {r2-r6}; mov r0, r9\n"                                      \
    "subs r2, r2, r4; lsls r2, r2, #2; subs r7, r6, r4; adds r2, r2, r7\n" DOWN_ONE("r2")          \
    "lsls r4, r4, #2; subs r4, r6, r4; lsls r6, r3, #2; subs r6, r5, r6\n"                         \
    "adds r2, r4, r6; subs r4, r4, r6\n" DOWN_ONE("r2") DOWN_ONE("r4")                             \
    "subs r3, r5, r3; lsls r3, r3, #1; adds r2, r7, r3; subs r7, r7, r3\n"                         \
    DOWN_ONE("r2") DOWN_ONE("r7")                                                                  \
    "ldr r2, [sp, #20 + 24 * " x "]; subs r2, r2, r5; lsls r3, r3, #1; subs r2, r2, r3\n"          \
    DOWN_ONE("r2") "add r1, r11\n"

/*
 * B' d B of all input channels of two tiles, [position][..][in_c]. `at` holds their pixels, those
 * of a row in the order 5, 0 to 4.
 *
 * r0 channel, then 32768  r1 place in the table, then in the result  r2 to r7 values
 * r8 the sixth of a row  r9 32768  r10 bytes from row to row of positions  r11 from behind a column
 * to the next  r12 channel  lr end  sp values, table, result
 */
static NAKED void transform_pair(
    UNREAD const int8_t *const at[SIDE][SIDE][2], UNREAD uint32_t *to, UNREAD uint32_t apart_bytes,
    UNREAD uint32_t in_c)
{
    __asm volatile(SAVE "push {r0, r1}; sub sp, #144; mov lr, r3\n"
                   "movs r4, #6; muls r4, r2, r4; mov r10, r4; movs r4, #35; muls r4, r2, r4\n"
                   "rsbs r4, r4, #0; mov r11, r4; movs r4, #128; lsls r4, r4, #8; mov r9, r4\n"
                   "movs r0, #0\n"
                   "1: ldr r1, [sp, #144]; mov r12, r0\n"
                   ACROSS("0") ACROSS("1") ACROSS("2") ACROSS("3") ACROSS("4") ACROSS("5")
                   "ldr r1, [sp, #148]\n"
                   DOWN("0") DOWN("1") DOWN("2") DOWN("3") DOWN("4") DOWN("5")
                   "ldr r1, [sp, #148]; adds r1, r1, #4; str r1, [sp, #148]\n"
                   "mov r0, r12; adds r0, r0, #1; cmp r0, lr; beq 2f; b 1b\n"
                   "2: add sp, #152\n" RESTORE);
}

/* Three words of weights, from row 0 on, to a column of six in the stack. */
#define COLUMN(x)                                                                                  \
    "ldm r0!, {r2-r4}; mov r6, r10; lsrs r2, r6; lsrs r3, r6; lsrs r4, r6\n"                       \
    "ands r2, r7; ands r3, r7; ands r4, r7; add r2, r8; add r3, r8; add r4, r8\n"                  \
    "adds r5, r2, r4; lsls r6, r4, #2; adds r6, r6, r2\n"                                          \
    "str r2, [sp, #" x "]; str r4, [sp, #" x " + 60]\n"                                            \
    "adds r2, r5, r3; subs r5, r5, r3; lsls r3, r3, #1; adds r4, r6, r3; subs r6, r6, r3\n"        \
    "str r2, [sp, #" x " + 12]; str r5, [sp, #" x " + 24]; str r4, [sp, #" x " + 36]\n"            \
    "str r6, [sp, #" x " + 48]\n"

#define HALVES(r) "adds " r ", " r ", r7; eors " r ", r7; str " r ", [r1]; add r1, r9\n"

/* A row of the stack to six positions. */
#define ROW(y)                                                                                     \
    "add r2, sp, #12 * " y "; ldm r2!, {r3-r5}\n"                                                  \
    "adds r2, r3, r5; lsls r6, r5, #2; adds r6, r6, r3\n" HALVES("r3")                             \
    "adds r3, r2, r4; subs r2, r2, r4\n" HALVES("r3") HALVES("r2")                                 \
    "lsls r4, r4, #1; adds r3, r6, r4; subs r6, r6, r4\n" HALVES("r3") HALVES("r6") HALVES("r5")

/*
 * G g G' of some input channels of two output channels, [position][part].
 *
 * r0 packed  r1 to  r2 to r6 values  r7 mask of bytes, then 32768  r8 -128 in both halves
 * r9 bytes from a position to the next  r10 bits to the right: 0 or 8  r11 mask  r12 end
 * lr bytes from behind the last position to the first of the next channel
 */
static NAKED void transform_part(UNREAD const int8_t *packed, UNREAD uint32_t *to,
                                 UNREAD uint32_t part)
{
    __asm volatile(SAVE "sub sp, #72\n"
                   "lsls r3, r2, #2; mov r9, r3; movs r4, #36; muls r4, r3, r4; subs r4, r4, #4\n"
                   "rsbs r4, r4, #0; mov lr, r4\n"
                   "movs r3, #18; muls r2, r3, r2; adds r2, r0, r2; mov r12, r2\n"
                   "movs r3, #255; lsls r4, r3, #16; orrs r3, r4; mov r11, r3\n"
                   "movs r3, #128; lsls r4, r3, #16; adds r3, r3, r4; rsbs r3, r3, #0\n"
                   "mov r8, r3; movs r3, #0; mov r10, r3\n"
                   "1:\n"
                   "mov r7, r11\n" COLUMN("0") COLUMN("4") COLUMN("8")
                   "movs r7, #128; lsls r7, r7, #8\n"
                   ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5")
                   "add r1, lr; mov r2, r10; movs r3, #8; eors r2, r3; mov r10, r2\n"
                   "beq 2f; subs r0, #36; b 1b\n" /* the other channel of the same words */
                   "2: cmp r0, r12; beq 3f; b 1b\n"
                   "3: add sp, #72\n" RESTORE);
}

MPLAN_STATIC_ASSERT(stride_as_in_assembly,
                    MPLAN_AT(stride_t, part_bytes, 0U) && MPLAN_AT(stride_t, skip_bytes, 4U) &&
                        MPLAN_AT(stride_t, enter_bytes, 8U) && (BLOCK_BYTES == 58U));

/* Both halves of the inputs times both of the weights in `u`; add: to the sums, mov: they begin. */
#define FOUR(u, add)                                                                               \
    "ldm r1!, {r4}; asrs r5, r4, #16; sxth r4, r4; asrs r6, " u ", #16; sxth " u ", " u "\n"       \
    "movs r7, " u "; muls r7, r4, r7; " add " r8, r7; muls " u ", r5, " u "; " add " r9, " u "\n"  \
    "muls r4, r6, r4; " add " r10, r4; muls r5, r6, r5; " add " r11, r5\n"
#define EIGHT "ldm r0!, {r2, r3}\n" FOUR("r2", "add") FOUR("r3", "add")
#define FIRST_EIGHT "ldm r0!, {r2, r3}\n" FOUR("r2", "mov") FOUR("r3", "add")

/*
 * Products of a pair of tiles and some input channels: `begin` are the sums and the first of them.
 *
 * r0 weights  r1 inputs  r2, r3 words of weights  r4, r5 of a word of inputs  r6, r7 factors
 * r8 to r11 sums  r12 end of the weights of a position  lr end of the sums
 */
#define PRODUCTS(begin)                                                                            \
    __asm volatile(SAVE                                                                            \
                   "ldm r3!, {r4-r6}; push {r2, r4-r6}\n" /* sp + 0 sums, + 4 stride_t */          \
                   "adds r4, r0, r4; mov r12, r4\n"                                                \
                   "movs r4, #144; lsls r4, r4, #2; adds r4, r2, r4; mov lr, r4\n"                 \
                   "1:\n" begin "ldr r2, [sp, #12]; add pc, r2; nop\n"                             \
                   "2:\n" EIGHT EIGHT EIGHT EIGHT MPLAN_CODE_BYTES("2b", 4 * 58)   \
                   "cmp r0, r12; bne 2b\n"                                                         \
                   "ldr r7, [sp, #0]; mov r2, r8; mov r3, r9; mov r4, r10; mov r5, r11\n"       \
                   "stm r7!, {r2-r5}; str r7, [sp, #0]\n"                                          \
                   "ldr r2, [sp, #4]; add r12, r2; ldr r2, [sp, #8]; adds r1, r1, r2\n"            \
                   "cmp r7, lr; beq 4f; b 1b\n"                                                    \
                   "4: add sp, #16\n" RESTORE)

/* The sums of a pair of tiles over some input channels. */
static NAKED void first_products(UNREAD const uint32_t *weights, UNREAD const uint32_t *inputs,
                                 UNREAD uint32_t *sums, UNREAD const stride_t *stride)
{
    PRODUCTS(FIRST_EIGHT);
}

/* Those over more of them are added. */
static NAKED void more_products(UNREAD const uint32_t *weights, UNREAD const uint32_t *inputs,
                                UNREAD uint32_t *sums, UNREAD const stride_t *stride)
{
    PRODUCTS("ldr r7, [sp, #0]; ldm r7!, {r2-r5}\n"
             "mov r8, r2; mov r9, r3; mov r10, r4; mov r11, r5\n" EIGHT);
}

MPLAN_STATIC_ASSERT(outputs_as_in_assembly,
                    MPLAN_AT(outputs_t, outs, 0U) && MPLAN_AT(outputs_t, at, 16U) &&
                        MPLAN_AT(outputs_t, bias, 20U) && MPLAN_AT(outputs_t, apart, 24U) &&
                        MPLAN_AT(outputs_t, multiplier, 28U) && MPLAN_AT(outputs_t, offset, 32U) &&
                        MPLAN_AT(outputs_t, act_min, 36U) && MPLAN_AT(outputs_t, act_max, 40U));

/* A' m of r1 to r6, to words of the stack that are `apart` bytes apart. */
#define MERGE(at, apart)                                                                           \
    "adds r7, r2, r3; subs r2, r2, r3; adds r3, r4, r5; subs r4, r4, r5\n"                         \
    "lsls r5, r1, #1; adds r1, r1, r5; lsls r1, r1, #1; adds r1, r1, r3\n"                         \
    "subs r5, r3, r7; lsls r5, r5, #2; lsls r7, r7, #2; subs r1, r1, r7\n"                         \
    "str r1, [sp, #" at "]; str r5, [sp, #" at " + 2 * " apart "]\n"                               \
    "lsls r4, r4, #1; lsls r2, r2, #2; subs r3, r4, r2; lsls r4, r4, #2; subs r4, r4, r2\n"        \
    "lsls r6, r6, #3; adds r4, r4, r6; lsls r6, r6, #1; adds r4, r4, r6\n"                         \
    "str r3, [sp, #" at " + " apart "]; str r4, [sp, #" at " + 3 * " apart "]\n"

#define SUMS(y, more)                                                                              \
    "ldr r1, [r0]; ldr r2, [r0, #16]; ldr r3, [r0, #32]; ldr r4, [r0, #48]; ldr r5, [r0, #64]\n"   \
    "ldr r6, [r0, #80]; adds r0, #96\n" more MERGE("4 * " y, "24")
#define SUMS_DOWN(x) "add r7, sp, #24 * " x "; ldm r7!, {r1-r6}\n" MERGE("24 * " x, "4")

/* A sum by 9 and 64, mplan_scale_30, limits: from r0 on to row `y`. */
#define OUTPUT(y)                                                                                  \
    "ldm r0!, {r4}; muls r4, r1, r4; asrs r4, r4, #6; asrs r5, r4, #16; uxth r4, r4\n"             \
    "movs r6, r3; muls r6, r4, r6; lsrs r6, r6, #16; muls r4, r2, r4; adds r4, r4, r6\n"           \
    "movs r6, r3; muls r6, r5, r6; adds r4, r4, r6; add r4, lr; asrs r4, r4, #16\n"                \
    "muls r5, r2, r5; adds r5, r5, r4; ldr r6, [sp, #96 + 4 * " y "]\n"                            \
    "cmp r5, r8; bge 5f; mov r5, r8; 5: cmp r5, r9; ble 6f; mov r5, r9; 6: strb r5, [r6, r7]\n"

/*
 * One channel of a tile: outputs from the sums, which lie 16 bytes apart.
 *
 * r0 sums  r1 the inverse of 9 modulo 2^32  r2, r3 upper and lower half of the multiplier
 * r4, r5, r6 parts of a product  r7 bytes to a pixel  r8, r9 limits  r11 from pixel to pixel
 * r10 36 times the bias  r12 multiplier  lr offset  sp columns of sums, then the rows of the output
 */
static NAKED void finish_tile(UNREAD const uint32_t *sums, UNREAD const outputs_t *outputs)
{
    __asm volatile(SAVE "ldm r1!, {r3-r7}; push {r3-r7}; sub sp, #96\n"
                   "ldm r1!, {r2-r7}; mov r10, r2\n"
                   "mov r11, r3; mov r12, r4; mov lr, r5; mov r8, r6; mov r9, r7\n"
                   SUMS("0", "") SUMS("1", "add r2, r10\n") SUMS("2", "")
                   SUMS("3", "") SUMS("4", "") SUMS("5", "")
                   SUMS_DOWN("0") SUMS_DOWN("1") SUMS_DOWN("2") SUMS_DOWN("3")
                   "movs r1, #0x38; lsls r1, r1, #8; adds r1, #0xE3; lsls r1, r1, #8\n"
                   "adds r1, #0x8E; lsls r1, r1, #8; adds r1, #0x39\n"
                   "mov r3, r12; lsrs r2, r3, #16; uxth r3, r3; ldr r7, [sp, #112]\n"
                   "mov r0, sp\n"
                   "1:\n" OUTPUT("0") OUTPUT("1") OUTPUT("2") OUTPUT("3")
                   "add r7, r11; adds r0, #8; mov r6, sp; adds r6, #96; cmp r0, r6; beq 2f; b 1b\n"
                   "2: add sp, #116\n" RESTORE);
}

#endif /* MPLAN_TILES_ARMV6M_H */
