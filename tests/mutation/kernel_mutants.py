# SPDX-License-Identifier: Apache-2.0
"""Faults of kernels; see :mod:`mutants`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAST", "PORTABLE", "Mutant", "several"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault."""

    file: str
    old: str
    new: str
    run: str
    equivalent: str = ""

    @property
    def name(self) -> str:
        """What a person reads."""
        return f"{self.file}: {self.old!r} -> {self.new!r} [{self.run}]"


def several(file: str, run: str, *changes: tuple[str, str]) -> tuple[Mutant, ...]:
    """Faults of one file that one run must notice."""
    return tuple(Mutant(file, old, new, run) for old, new in changes)


_C99, _DSP = "codegen/kernels/c99/mplan_", "codegen/kernels/dsp/mplan_"
_PAIRS = "codegen/include/mplan_conv2d_pairs.h"
_MVE, _SCALAR = "codegen/kernels/mve/mplan_", "codegen/kernels/scalar/mplan_"

PORTABLE = (
    *several(
        f"{_C99}conv2d_s8.c",
        "chain",
        ("acc1 += (int32_t)in[i + 2U] * (int32_t)w1[i + 2U];", ""),
        ("(int32_t)p->stride_h) - (int32_t)p->pad_top", "(int32_t)p->stride_h)"),
        ("y < y1; y++", "y <= y1; y++"),
        ("x < p->out_w; x++", "(x + 1U) < p->out_w; x++"),
    ),
    *several(
        _PAIRS,
        "chain",
        ("pair->acc0 += (sum_t)value * (sum_t)sum0;", "pair->acc0 += sum0;"),
        ("(kernel_w - end_tap) * group_c", "(kernel_w - end_tap) * 0U"),
        ("pair.acc1 = p->bias[next];", "pair.acc1 = p->bias[oc];"),
        ("(y >= 0) &&", "(y > 0) &&"),
        ("+ p->out_zero_point;", "+ p->out_zero_point + 1;"),
        ("if (next != oc) {", "if (next == oc) {"),
    ),
    *several(
        _PAIRS,
        "mix",
        ("group * group_in)", "0U)"),
        ("oc / group_out", "0U"),
        ("(y < (int32_t)p->in_h)", "(y <= (int32_t)p->in_h)"),
    ),
    *several(
        _PAIRS,
        "limits",
        ("p->act_min, p->act_max", "p->act_min, 127"),
        ("p->act_min, p->act_max", "-128, p->act_max"),
    ),
    Mutant(
        _PAIRS,
        "mplan_row(&p->in_rows, (size_t)y)",
        "((size_t)y * p->in_w * p->in_c)",
        "fed",
    ),
    Mutant(
        _PAIRS,
        "(first_tap >= end_tap)",
        "(first_tap > end_tap)",
        "chain",
        "where they are equal every tap is padding, added before and behind an empty run",
    ),
    Mutant(
        f"{_C99}conv2d_s8.c",
        "(i + 3U) < count",
        "(i + 7U) < count",
        "chain",
        "the loop behind takes what is left, however much",
    ),
    *several(
        f"{_C99}conv2d_s8.c",
        "rows",
        ("y < y1; y++", "y < (y1 + 1U); y++"),
        ("size_t y = y0; y < y1", "size_t y = y0 + 1U; y < y1"),
    ),
    *several(
        f"{_C99}depthwise_conv2d_s8.c",
        "chain",
        ("(x < (int32_t)p->in_w)", "(x <= (int32_t)p->in_w)"),
        ("acc3 += zero * (int32_t)w[3];", ""),
        ("acc2 += (int32_t)pixel[2] * (int32_t)w[2];", "acc2 += (int32_t)pixel[2];"),
        ("int32_t acc1 = p->bias[c + 1U];", "int32_t acc1 = p->bias[c];"),
        ("tap += p->out_c;", "tap += p->in_w;"),
        ("size_t oc = fours; oc < p->out_c", "size_t oc = fours + 1U; oc < p->out_c"),
        ("(size_t)p->out_c & ~(size_t)3U", "(size_t)p->out_c & ~(size_t)1U"),
        ("y < y1; y++", "y < (y1 + 1U); y++"),
    ),
    *several(
        f"{_C99}dense_s8.c",
        "chain",
        ("acc2 += value * (int32_t)w2[i];", "acc2 += value * (int32_t)w[i];"),
        ("if (oc < p->out_c) {", "if (oc > p->out_c) {"),
        (
            "out[oc + 1U] = dense_result(p, acc2, oc + 1U);",
            "out[oc + 1U] = dense_result(p, acc2, oc);",
        ),
        ("x < p->pixels", "x <= p->pixels"),
    ),
    *several(
        f"{_C99}avg_pool2d_s8.c",
        "mix",
        ("(size_t)count - p->first_count", "0U"),
        ("sum[i] = -elements * (int32_t)p->in_zero_point;", "sum[i] = 0;"),
        ("out[c + i] =", "out[i] ="),
    ),
    *several(
        "codegen/include/mplan_averages.h",
        "mix",
        (
            "span.end = mplan_clamp(end, 0, MPLAN_CAST(int32_t, size));",
            "span.end = end;",
        ),
    ),
    *several(
        f"{_C99}max_pool2d_s8.c",
        "mix",
        ("if (pixel[c] > out[c])", "if (pixel[c] < out[c])"),
        ("memset(to, -128,", "memset(to, 0,"),
        ("(from_y < (int32_t)p->in_h)", "(from_y <= (int32_t)p->in_h)"),
        ("ky < p->kernel_h", "(ky + 1U) < p->kernel_h"),
    ),
    *several(
        f"{_C99}add_s8.c",
        "mix",
        ("p->offset +", "p->offset + 1000000 +"),
        ("* p->multiplier2", "* p->multiplier"),
        ("i < p->inner", "(i + 1U) < p->inner"),
        ("y < y1; y++", "y <= y1; y++"),
    ),
    *several(
        f"{_C99}mul_s8.c",
        "mix",
        ("- p->in2_zero_point", "+ p->in2_zero_point"),
        ("p->multiplier, p->pre_shift", "p->multiplier, p->pre_shift + 1U"),
    ),
    *several(
        f"{_C99}extreme_s8.c",
        "mix",
        ("(p->smaller != 0U)", "(p->smaller == 0U)"),
        ("p->multiplier2) + p->offset2", "p->multiplier2) + p->offset"),
    ),
    *several(f"{_C99}lookup_s8.c", "mix", ("p->table[128]", "p->table[127]")),
    *several(f"{_C99}lookup_s8.c", "mix", ("i < p->row_bytes", "i <= p->row_bytes")),
    *several(
        f"{_C99}concat_s8.c",
        "mix",
        ("+ p->out_start]", "]"),
        ("&to[i * p->out_step]", "&to[i * p->block_bytes]"),
        ("table[(int32_t)in[i] + 128]", "table[(int32_t)in[i] + 127]"),
    ),
    *several(
        f"{_C99}copy_s8.c",
        "mix",
        ("at += step;", "at += step + 1;"),
        ("(int32_t)p->start_byte +", "1 + (int32_t)p->start_byte +"),
        ("*next = source[at];", "*next = source[0];"),
    ),
    *several(
        f"{_C99}pad_s8.c",
        "mix",
        ("2 * (size - 1)", "2 * size - 1"),
        ("at += (at < 0) ? period : 0;", ""),
        ("source_of(x, p->pad_left", "source_of(x, p->pad_top + 1U"),
    ),
    *several(
        f"{_C99}softmax_s8.c",
        "chain",
        ("if (values[c] > max)", "if (values[c] < max)"),
        ("(14U + shift)", "(15U + shift)"),
        ("size_t c = 1U; c < count", "size_t c = 1U; (c + 1U) < count"),
    ),
    *several(
        f"{_C99}row_sum_s8.c",
        "rows",
        ("if (y0 == 0U) {", "if (y0 != 0U) {"),
        ("(even >> 16) - zero", "(even >> 16)"),
        ("y < y1; y++", "y <= y1; y++"),
    ),
    *several(
        f"{_C99}mean_of_sum_s8.c",
        "rows",
        ("sum -= p->in_zero_point;", ""),
        ("c < p->channels", "(c + 1U) < p->channels"),
    ),
)

FAST = (
    *several(
        "codegen/include/mplan_two_patches_dsp.h",
        "m4",
        ("job->zero_point = p->out_zero_point;", "job->zero_point = 0;"),
    ),
    *several(
        "codegen/include/mplan_conv2d_pixels_dsp.h",
        "m4odd",
        ("mplan_two_patches(job, &out[waiting.out], &out[waiting.out]);", ""),
    ),
    *several(
        "codegen/include/mplan_padded_rows_dsp.h",
        "m4odd",
        ("(void)memset(row, p->in_zero_point, rows->left);", ""),
        ("row >= rows->next", "row > rows->next"),
    ),
    *several(
        "codegen/include/mplan_conv2d_lines_dsp.h",
        "m4odd",
        (
            "job.out0 = waiting;\n        job.out1 = waiting;",
            "job.out0 = out;\n        job.out1 = out;",
        ),
        ("job->again = (4U - (p->out_c % 4U)) % 4U;", "job->again = 0U;"),
    ),
    *several(
        "codegen/include/mplan_conv2d_lines_dsp.h",
        "m4limits",
        ("row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);", "row[i] = row[i];"),
    ),
    *several(
        "codegen/include/mplan_conv2d_patches_dsp.h",
        "m4small",
        ("row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);", "row[i] = row[i];"),
    ),
    *several(f"{_DSP}dense_s8_dsp.c", "m4", ("x < p->pixels", "x <= p->pixels")),
    *several(
        f"{_DSP}add_s8_dsp.c",
        "m4mix",
        ("factors.zero_point = p->out_zero_point;", "factors.zero_point = 0;"),
        ("y < y1; y += rows", "y <= y1; y += rows"),
    ),
    *several(
        f"{_DSP}max_pool2d_s8_dsp.c",
        "m4mix",
        ("larger(load(pixel), load(out))", "load(pixel)"),
        ("size_t c = 0U; c < left", "size_t c = 1U; c < left"),
    ),
    *several(
        f"{_MVE}dense_s8_mve.c",
        "m55",
        ("job.rest = p->in_c % LANES;", "job.rest = 1U;"),
    ),
    *several(
        f"{_MVE}conv2d_s8_mve.c", "m55limits", ("job.act_min = p->act_min;", "job.act_min = -128;")
    ),
    *several(
        f"{_MVE}add_s8_mve.c",
        "m55mix",
        ("rest = count % QUAD;", "rest = 0U;"),
        (
            "vstrbq_p_s32(out, vminq_s32(vmaxq_s32(result, low), high), lanes);",
            "vstrbq_s32(out, vminq_s32(vmaxq_s32(result, low), high));",
        ),
    ),
    *several(f"{_MVE}lookup_s8_mve.c", "m55mix", ("vdupq_n_u8(0x80U)", "vdupq_n_u8(0x81U)")),
    *several(
        "codegen/include/mplan_conv2d_pairs_scalar.h",
        "m0odd",
        ("if (found == 1U) {", "if (found == 3U) {"),
    ),
    *several(
        f"{_SCALAR}depthwise3x3_s8_scalar.c",
        "m0",
        ("size_t x = end; x < p->out_w", "size_t x = end + 1U; x < p->out_w"),
    ),
)
