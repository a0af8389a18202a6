/* SPDX-License-Identifier: 0BSD */
#include "mplan_columns3x3_s8_dsp.h"

/* Output rows that lie equally far apart, and the lines that they see. */
typedef struct {
    mplan_column_lines_t lines;
    int8_t *out;    /* 64: the first row */
    uint32_t down;  /* 68: bytes from its last column to the next row */
    uint32_t bytes; /* 72: of as many lines */
} map_t;
MPLAN_STATIC_ASSERT(map_as_in_assembly, MPLAN_AT(map_t, out, 64U) && MPLAN_AT(map_t, down, 68U) &&
                                            MPLAN_AT(map_t, bytes, 72U) && (sizeof(map_t) == 76U));

/*
 * A pair of columns x on a row of weights {w0, w1}, {w1, w2}: of the window that begins in its
 * second column, one before it, and so on. `from` is the bias for the first row of weights.
 */
#define AFTER(sum, x, w01, from) "smlatb " sum ", " x ", " w01 ", " from "\n"
#define WHOLE(sum, x, w, from) "smlad " sum ", " x ", " w ", " from "\n"
#define FINAL(sum, x, w12) "smlabt " sum ", " x ", " w12 ", " sum "\n"

#define THREE(at0, at1, w01, w12, from0, from1, from2)                                             \
    "ldr.w r2, [r0, #" at0 "]; ldr.w r3, [r0, #" at1 "]\n" WHOLE("r10", "r2", w12, from0)          \
    WHOLE("r11", "r2", w01, from1) AFTER("r12", "r2", w01, from2) FINAL("r11", "r3", w12)          \
    WHOLE("r12", "r3", w12, "r12")

/* Five sums: what the first, the second and the last pair of a line give. */
#define PAIR0(x, w01, w12, from0, from1, from2)                                                    \
    WHOLE("r10", x, w12, from0) WHOLE("r11", x, w01, from1) AFTER("r12", x, w01, from2)
#define PAIR1(x, w01, w12, from3, from4)                                                           \
    FINAL("r11", x, w12) WHOLE("r12", x, w12, "r12") WHOLE("lr", x, w01, from3)                    \
    AFTER("r1", x, w01, from4)
#define PAIR2(x, w01, w12) FINAL("lr", x, w12) FINAL("r1", x, w01)

/*
 * Four channels after four, lines of each; of a channel row after row, its weights in r4 to r9:
 * {w0, w1} and {w1, w2} of each row. The frame goes on: 44 the body, 48 `down`, 52 bytes of lines,
 * 56 the end of lines.
 */
static MPLAN_NAKED void make_map(__attribute__((unused)) const map_t *map)
{
    __asm volatile(
        MPLAN_ENTERED
        "push {r4-r11, lr}; sub sp, #60; str r0, [sp, #40]; ldrd r1, r2, [r0]\n"
        "ldr r3, [r0, #64]; ldr r4, [r0, #68]; ldr r5, [r0, #72]; ldr r6, [r0, #56]\n"
        "str r1, [sp, #4]; str r2, [sp, #8]; str r3, [sp, #28]; str r4, [sp, #48]\n"
        "str r5, [sp, #52]; movs r7, #0; str r7, [sp, #32]; adr.w r3, 30f; cmp r6, #1; it ne\n"
        "adrne.w r3, 50f; orr r3, r3, #1; str r3, [sp, #44]\n"
        "0:\n" /* four channels */
        MPLAN_FILL_LINES
        "5:\n" /* a channel */
        "ldr.w r12, [sp, #20]; ldr r0, [sp, #16]; ldr r1, [sp, #28]; ldr.w lr, [sp, #32]\n"
        "ldr.w r11, [sp, #52]; ldm.w r12, {r2, r3, r5, r7, r9}; add r1, r1, lr\n"
        "add r11, r11, r0; mov lr, r2; str r2, [sp, #12]; str r3, [sp]; str r1, [sp, #24]\n"
        "str.w r11, [sp, #56]; sxtb16 r4, r5; sxtb16 r5, r5, ror #8; sxtb16 r6, r7\n"
        "sxtb16 r7, r7, ror #8; sxtb16 r8, r9; sxtb16 r9, r9, ror #8; ldr.w pc, [sp, #44]\n"
        ".balign 4\n30:\n"
        THREE("0", "16", "r4", "r5", "lr", "lr", "lr")
        THREE("32", "48", "r6", "r7", "r10", "r11", "r12")
        THREE("64", "80", "r8", "r9", "r10", "r11", "r12")
        "ldr r2, [sp]; ldr r3, [sp, #4]; adds r0, #32; smmlar r10, r10, r2, r3\n"
        "smmlar r11, r11, r2, r3; smmlar r12, r12, r2, r3; ldr r2, [sp, #8]; ldr r3, [sp, #48]\n"
        "ssat r10, #8, r10; ssat r11, #8, r11; ssat r12, #8, r12; strb.w r10, [r1]\n"
        "add r1, r1, r2; strb.w r11, [r1]; add r1, r1, r2; strb.w r12, [r1]; ldr r2, [sp, #56]\n"
        "add r1, r1, r3; cmp r0, r2; bne.w 30b\n"
        "b.w 4f\n"
        ".balign 4\n50:\n"
        "ldr r1, [sp, #12]; ldr r2, [r0]; ldr r3, [r0, #16]\n"
        PAIR0("r2", "r4", "r5", "r1", "r1", "r1") PAIR1("r3", "r4", "r5", "r1", "r1")
        "ldr.w r2, [r0, #32]; ldr.w r3, [r0, #48]\n"
        PAIR2("r2", "r4", "r5") PAIR0("r3", "r6", "r7", "r10", "r11", "r12")
        "ldr.w r2, [r0, #64]; ldr.w r3, [r0, #80]\n"
        PAIR1("r2", "r6", "r7", "lr", "r1") PAIR2("r3", "r6", "r7")
        "ldr.w r2, [r0, #96]; ldr.w r3, [r0, #112]\n"
        PAIR0("r2", "r8", "r9", "r10", "r11", "r12") PAIR1("r3", "r8", "r9", "lr", "r1")
        "ldr.w r2, [r0, #128]; ldr r3, [sp, #4]; adds r0, #48\n"
        PAIR2("r2", "r8", "r9")
        "ldr r2, [sp]; smmlar r10, r10, r2, r3; smmlar r11, r11, r2, r3\n"
        "smmlar r12, r12, r2, r3; smmlar lr, lr, r2, r3; smmlar r1, r1, r2, r3\n"
        "ldr r2, [sp, #24]; ldr r3, [sp, #8]; ssat r10, #8, r10; ssat r11, #8, r11\n"
        "ssat r12, #8, r12; ssat lr, #8, lr; ssat r1, #8, r1\n"
        "strb.w r10, [r2]; add r2, r2, r3; strb.w r11, [r2]; add r2, r2, r3\n"
        "strb.w r12, [r2]; add r2, r2, r3; strb.w lr, [r2]; add r2, r2, r3; strb r1, [r2]\n"
        "ldr r1, [sp, #48]; ldr r3, [sp, #56]; add r2, r2, r1; str r2, [sp, #24]\n"
        "cmp r0, r3; bne.w 50b\n"
        "4:\n"
        MPLAN_NEXT_OF_LINES
        "add sp, #60; pop {r4-r11, pc}\n");
}

MPLAN_KERNEL
void mplan_columns3x3_s8_dsp(const mplan_columns3x3_s8_dsp_t *p, const int8_t *in, int8_t *out,
                             size_t y0, size_t y1, int8_t *scratch)
{
    map_t *const map = (map_t *)(void *)scratch;
    const size_t across = ((size_t)p->out_w - 1U) * p->channels;
    size_t end;

    for (size_t y = y0; y < y1; y = end) {
        const int32_t above = (int32_t)y - (int32_t)p->pad_top;
        const size_t at = mplan_row(&p->out_rows, y);
        size_t down = 0U;
        int32_t below;
        int32_t first;
        int32_t last;

        end = y + 1U;
        if (end < y1) {
            down = mplan_row(&p->out_rows, end) - at;
        }
        while ((end < y1) && (mplan_row(&p->out_rows, end) == (at + ((end - y) * down)))) {
            end++;
        }
        below = ((int32_t)end + 2) - (int32_t)p->pad_top;
        first = (above < 0) ? 0 : above;
        last = (below > (int32_t)p->in_h) ? (int32_t)p->in_h : below;
        map->out = &out[at];
        map->down = (uint32_t)(down - across);
        mplan_find_lines(p, &map->lines, &map[1], in, first, last, first - above, below - last);
        map->bytes = (uint32_t)(end - y) * map->lines.line_bytes;
        make_map(map);
    }
    mplan_limit_columns(p, out, y0, y1);
}
