/* SPDX-License-Identifier: 0BSD */
#include <string.h>

#include "mplan_conv2d_s8_dsp.h"
#include "mplan_two_patches_dsp.h"

#define KERNEL_ROWS (16U)
#define NAKED MPLAN_NAKED
#define UNREAD __attribute__((unused))

/* Four bytes to two words in 6 cycles, 32 bytes a round; then the last one to three bytes. */
#define WIDEN(from, end)                                                                           \
    ".rept 8\n"                                                                                    \
    "ldr.w r3, [" from "], #4; sxtb16 r12, r3; sxtb16 r3, r3, ror #8\n"                            \
    "str.w r12, [r1], #8; str.w r3, [r1], #8\n"                                                    \
    ".endr\n"                                                                                      \
    "cmp " from ", " end "; bne.w 2b\n.balign 4\n"                                                 \
    "3: cbz r4, 4f; cmp r4, #2; ldrsb r3, [" from "], #1\n"                                        \
    "itt hs; ldrsbhs r12, [" from "], #1; pkhbths r3, r3, r12, lsl #16\n"                          \
    "str r3, [r1], #8; bls 4f; ldrsb r3, [" from "]; str r3, [r1], #8\n4:\n"

/* r4 = bytes of the rest, r2 = bytes before it, `to` = where to enter the round for them */
#define ENTRY(to)                                                                                  \
    "and r4, r2, #3; sub r2, r2, r4\n"                                                             \
    "rsb r3, r2, #0; and r3, r3, #28; add r3, r3, r3, lsl #2\n"                                    \
    "adr " to ", 2f; add " to ", " to ", r3\n"                                                     \
    "cbnz r2, 5f; adr " to ", 3f\n"                                                                \
    "5: orr " to ", " to ", #1\n"

/* Widen `count` bytes into every second word from `to` on; returns where the next run goes. */
static NAKED uint32_t *widen(UNREAD const int8_t *from, UNREAD uint32_t *to, UNREAD size_t count)
{
    __asm volatile("push {r4, lr}\n" ENTRY("r12")
                   "add r2, r2, r0; bx r12\n"
                   ".balign 4\n2:\n" WIDEN("r0", "r2")
                   "mov r0, r1; pop {r4, pc}\n");
}

/* Widen the run of `count` bytes from `first` on of each of the lines up to `end`. */
static NAKED void widen_lines(UNREAD const int8_t *const *lines, UNREAD uint32_t *to,
                              UNREAD size_t count, UNREAD const int8_t *const *end,
                              UNREAD int32_t first)
{
    __asm volatile("push {r4-r9, lr}\n"
                   "ldr r9, [sp, #28]; mov r8, r3\n" ENTRY("r7")
                   "1:\n"
                   "ldr r5, [r0], #4; add r5, r5, r9; add r6, r5, r2; bx r7\n"
                   ".balign 4\n2:\n" WIDEN("r5", "r6")
                   "cmp r0, r8; bne.w 1b\n"
                   "pop {r4-r9, pc}\n");
}

/* Bytes of one kernel row that is not a run inside the input: taps outside are the zero point. */
static void gather(const mplan_conv2d_s8_dsp_t *p, const int8_t *row, int8_t *to, int32_t x_first)
{
    const size_t in_c = p->in_c;
    int32_t x = x_first;

    (void)memset(to, p->in_zero_point, p->kernel_w * in_c);
    for (size_t kx = 0U; kx < p->kernel_w; kx++) {
        if ((x >= 0) && (x < (int32_t)p->in_w)) {
            (void)memcpy(&to[kx * in_c], &row[(size_t)x * in_c], in_c);
        }
        x += (int32_t)p->dilation_w;
    }
}

/* The input rows of an output row, NULL where they lie outside. Returns whether all lie inside. */
static int find_lines(const mplan_conv2d_s8_dsp_t *p, const int8_t *in, const int8_t **lines,
                       size_t y)
{
    int32_t from = ((int32_t)y * (int32_t)p->stride_h) - (int32_t)p->pad_top;
    int whole = 1;

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        lines[ky] = NULL;
        if ((from >= 0) && (from < (int32_t)p->in_h)) {
            lines[ky] = &in[mplan_row(&p->in_rows, (size_t)from)];
        } else {
            whole = 0;
        }
        from += (int32_t)p->dilation_h;
    }
    return whole;
}

/* The patch of one output pixel line by line, where not all of it lies inside the input. */
static void border_patch(const mplan_conv2d_s8_dsp_t *p, const int8_t *const *lines, uint32_t *to,
                         int8_t *spare, int32_t x_first)
{
    const uint32_t padding = ((uint32_t)p->in_zero_point & 0xFFFFU) * 0x10001U;
    const size_t count = (size_t)p->kernel_w * p->in_c;
    const int inside = (p->dilation_w == 1U) && (x_first >= 0) &&
                       ((x_first + (int32_t)p->kernel_w) <= (int32_t)p->in_w);

    for (size_t ky = 0U; ky < p->kernel_h; ky++) {
        if (lines[ky] == NULL) {
            for (size_t i = 0U; i < count; i += 2U) { /* behind an odd count the weight is 0 */
                to[i] = padding;
            }
            to = &to[2U * ((count + 1U) / 2U)];
        } else if (inside) {
            to = widen(&lines[ky][x_first * (int32_t)p->in_c], to, count);
        } else {
            gather(p, lines[ky], spare, x_first);
            to = widen(spare, to, count);
        }
    }
}

/* Output rows of a 1x1 kernel. Returns the output of a last pixel that waits for a second one. */
static int8_t *pointwise_rows(const mplan_conv2d_s8_dsp_t *p, const mplan_channels_t *channels,
                              mplan_two_patches_t *job, uint32_t *patches, const int8_t *in,
                              int8_t *out, size_t y0, size_t y1)
{
    const size_t apart = (size_t)p->stride_w * p->in_c;
    int8_t *waiting = NULL;

    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y * p->stride_h)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t x = p->out_w; x > 0U; x--) {
            if (waiting == NULL) {
                (void)widen(from, patches, p->in_c);
                waiting = to;
            } else {
                (void)widen(from, &patches[1], p->in_c);
                mplan_two_patches(channels, job, waiting, to);
                waiting = NULL;
            }
            from = &from[apart];
            to = &to[p->out_c];
        }
    }
    return waiting;
}

/* Output rows of any other kernel. Returns as above. */
static int8_t *window_rows(const mplan_conv2d_s8_dsp_t *p, const mplan_channels_t *channels,
                           mplan_two_patches_t *job, uint32_t *patches, const int8_t *in,
                           int8_t *out, size_t y0, size_t y1)
{
    const int32_t x_last = (int32_t)p->in_w - (int32_t)p->kernel_w;
    const size_t count = (size_t)p->kernel_w * p->in_c;
    const int8_t *lines[KERNEL_ROWS];
    int8_t *waiting = NULL;

    for (size_t y = y0; y < y1; y++) {
        const int whole = find_lines(p, in, lines, y) && (p->dilation_w == 1U);
        int8_t *to = &out[mplan_row(&p->out_rows, y)];
        int32_t x_first = -(int32_t)p->pad_left;

        for (size_t x = p->out_w; x > 0U; x--) {
            uint32_t *const lane = &patches[(waiting != NULL) ? 1U : 0U];

            if (whole && (x_first >= 0) && (x_first <= x_last)) {
                widen_lines(lines, lane, count, &lines[p->kernel_h], x_first * (int32_t)p->in_c);
            } else {
                border_patch(p, lines, lane, (int8_t *)&job[1], x_first);
            }
            x_first += (int32_t)p->stride_w;
            if (waiting == NULL) {
                waiting = to;
            } else {
                mplan_two_patches(channels, job, waiting, to);
                waiting = NULL;
            }
            to = &to[p->out_c];
        }
    }
    return waiting;
}

MPLAN_KERNEL void mplan_conv2d_s8_dsp(const mplan_conv2d_s8_dsp_t *p, const int8_t *in,
                                      int8_t *out, size_t y0, size_t y1, int8_t *scratch)
{
    const mplan_channels_t channels = { p->packed, p->pre_shift, p->steps, p->out_c };
    uint32_t *const patches = (uint32_t *)(void *)scratch;
    mplan_two_patches_t *const job = mplan_two_patches_at(&channels, patches, p->out_zero_point);
    int8_t *last;

    /* 1x1 inside the input: the patch is the pixel */
    if ((p->kernel_h == 1U) && (p->kernel_w == 1U) && ((p->pad_top | p->pad_left) == 0U) &&
        (((p->out_w - 1U) * p->stride_w) < p->in_w) && (((y1 - 1U) * p->stride_h) < p->in_h)) {
        last = pointwise_rows(p, &channels, job, patches, in, out, y0, y1);
    } else {
        last = window_rows(p, &channels, job, patches, in, out, y0, y1);
    }
    if (last != NULL) {
        mplan_two_patches(&channels, job, last, last);
    }
    for (size_t y = y0; ((p->act_min > -128) || (p->act_max < 127)) && (y < y1); y++) {
        int8_t *const row = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = 0U; i < ((size_t)p->out_w * p->out_c); i++) {
            row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);
        }
    }
}
