# SPDX-License-Identifier: Apache-2.0
"""Faults put into kernels, templates, emitter and planner, one at a time; ``verify`` must fail.

``old`` stands once or more in ``file``; the first place becomes ``new``. ``run`` names what must
notice (:data:`mutation_nets.RUNS`). A mutant that changes nothing that can be seen says why in
``equivalent``; it must pass.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MUTANTS", "QUICK", "Mutant"]


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


def _in(file: str, run: str, *changes: tuple[str, str]) -> tuple[Mutant, ...]:
    return tuple(Mutant(file, old, new, run) for old, new in changes)


_C99, _DSP = "codegen/kernels/c99/mplan_", "codegen/kernels/dsp/mplan_"
_MVE, _SCALAR = "codegen/kernels/mve/mplan_", "codegen/kernels/scalar/mplan_"
_TEMPLATES = "codegen/templates/"

_PORTABLE = (
    *_in(
        f"{_C99}conv2d_s8.c",
        "chain",
        ("acc1 += (int32_t)in[i + 2U] * (int32_t)w1[i + 2U];", ""),
        ("(i + 3U) < count", "(i + 2U) < count"),
        ("pair->acc0 += value * sum0;", "pair->acc0 += sum0;"),
        ("(kernel_w - end_tap) * group_c", "(kernel_w - end_tap) * 0U"),
        ("pair.acc1 = p->bias[next];", "pair.acc1 = p->bias[oc];"),
        ("(y >= 0) &&", "(y > 0) &&"),
        ("(int32_t)p->stride_h) - (int32_t)p->pad_top", "(int32_t)p->stride_h)"),
        ("y < y1; y++", "y <= y1; y++"),
        ("x < p->out_w; x++", "(x + 1U) < p->out_w; x++"),
        ("+ p->out_zero_point;", "+ p->out_zero_point + 1;"),
        ("if (next != oc) {", "if (next == oc) {"),
    ),
    *_in(
        f"{_C99}conv2d_s8.c",
        "mix",
        ("group * group_in)", "0U)"),
        ("oc / group_out", "0U"),
        ("(y < (int32_t)p->in_h)", "(y <= (int32_t)p->in_h)"),
    ),
    *_in(
        f"{_C99}conv2d_s8.c",
        "limits",
        ("p->act_min, p->act_max", "p->act_min, 127"),
        ("p->act_min, p->act_max", "-128, p->act_max"),
    ),
    Mutant(
        f"{_C99}conv2d_s8.c",
        "mplan_row(&p->in_rows, (size_t)y)",
        "((size_t)y * p->in_w * p->in_c)",
        "fed",
    ),
    Mutant(
        f"{_C99}conv2d_s8.c",
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
    *_in(
        f"{_C99}conv2d_s8.c",
        "rows",
        ("y < y1; y++", "y < (y1 + 1U); y++"),
        ("size_t y = y0; y < y1", "size_t y = y0 + 1U; y < y1"),
    ),
    *_in(
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
    *_in(
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
    *_in(
        f"{_C99}avg_pool2d_s8.c",
        "mix",
        ("(size_t)count - p->first_count", "0U"),
        ("sum[i] = -elements * (int32_t)p->in_zero_point;", "sum[i] = 0;"),
        ("span.end = mplan_clamp(end, 0, (int32_t)size);", "span.end = end;"),
        ("out[c + i] =", "out[i] ="),
    ),
    *_in(
        f"{_C99}max_pool2d_s8.c",
        "mix",
        ("if (pixel[c] > out[c])", "if (pixel[c] < out[c])"),
        ("memset(to, -128,", "memset(to, 0,"),
        ("(from_y < (int32_t)p->in_h)", "(from_y <= (int32_t)p->in_h)"),
        ("ky < p->kernel_h", "(ky + 1U) < p->kernel_h"),
    ),
    *_in(
        f"{_C99}add_s8.c",
        "mix",
        ("p->offset +", "p->offset + 1000000 +"),
        ("* p->multiplier2", "* p->multiplier"),
        ("i < p->inner", "(i + 1U) < p->inner"),
        ("y < y1; y++", "y <= y1; y++"),
    ),
    *_in(
        f"{_C99}mul_s8.c",
        "mix",
        ("- p->in2_zero_point", "+ p->in2_zero_point"),
        ("p->multiplier, p->pre_shift", "p->multiplier, p->pre_shift + 1U"),
    ),
    *_in(
        f"{_C99}extreme_s8.c",
        "mix",
        ("(p->smaller != 0U)", "(p->smaller == 0U)"),
        ("p->multiplier2) + p->offset2", "p->multiplier2) + p->offset"),
    ),
    *_in(f"{_C99}lookup_s8.c", "mix", ("p->table[128]", "p->table[127]")),
    *_in(f"{_C99}lookup_s8.c", "mix", ("i < p->row_bytes", "i <= p->row_bytes")),
    *_in(
        f"{_C99}concat_s8.c",
        "mix",
        ("+ p->out_start]", "]"),
        ("&to[i * p->out_step]", "&to[i * p->block_bytes]"),
        ("table[(int32_t)in[i] + 128]", "table[(int32_t)in[i] + 127]"),
    ),
    *_in(
        f"{_C99}copy_s8.c",
        "mix",
        ("at += step;", "at += step + 1;"),
        ("(int32_t)p->start_byte +", "1 + (int32_t)p->start_byte +"),
        ("*next = source[at];", "*next = source[0];"),
    ),
    *_in(
        f"{_C99}pad_s8.c",
        "mix",
        ("2 * (size - 1)", "2 * size - 1"),
        ("at += (at < 0) ? period : 0;", ""),
        ("source_of(x, p->pad_left", "source_of(x, p->pad_top + 1U"),
    ),
    *_in(
        f"{_C99}softmax_s8.c",
        "chain",
        ("if (values[c] > max)", "if (values[c] < max)"),
        ("shift += 36U;", "shift += 35U;"),
        ("size_t c = 1U; c < count", "size_t c = 1U; (c + 1U) < count"),
    ),
    *_in(
        f"{_C99}row_sum_s8.c",
        "rows",
        ("if (y0 == 0U) {", "if (y0 != 0U) {"),
        ("sum -= zero;", ""),
        ("y < y1; y++", "y <= y1; y++"),
    ),
    *_in(
        f"{_C99}mean_of_sum_s8.c",
        "rows",
        ("sum -= p->in_zero_point;", ""),
        ("c < p->channels", "(c + 1U) < p->channels"),
    ),
)

_SHARED = (
    *_in(
        "codegen/include/mplan.h",
        "chain",
        ("MPLAN_ERR_NULL = 1", "MPLAN_ERR_NULL = 5"),
        ("MPLAN_ERR_ALIGN = 2", "MPLAN_ERR_ALIGN = 6"),
        ("if (result > high) {", "if (result > high + 1) {"),
        ("(MPLAN_CAST(int64_t, 1) << 31)", "(MPLAN_CAST(int64_t, 1) << 30)"),
        ("(rest >= 0.5f) &&", "(rest >= 0.5f) ||"),
        ("(rest <= -0.5f) && ((whole % 2) != 0)", "(rest <= -0.5f)"),
        ("mplan_clamp(whole + zero_point, low, high)", "mplan_clamp(whole + zero_point, low, 126)"),
        ("const float ratio = real / scale;", "const float ratio = real * (1.0f / scale);"),
        (
            "} else if (ratio < 0.0f) {\n        result = low;",
            "} else if (ratio < 0.0f) {\n        result = high;",
        ),
        ("#define MPLAN_ARENA_ALIGN 4", "#define MPLAN_ARENA_ALIGN 8"),
    ),
    Mutant(
        "codegen/include/mplan.h", "product *= MPLAN_CAST(int64_t, 1) << pre_shift;", "", "limits"
    ),
    Mutant(
        "codegen/include/mplan.h",
        "int32_t result = zero_point;\n\n    if ((ratio",
        "int32_t result = 0;\n\n    if ((ratio",
        "limits",
    ),
    Mutant("codegen/include/mplan.h", "MPLAN_ERR_ORDER = 3", "MPLAN_ERR_ORDER = 9", "fed"),
    Mutant("codegen/include/mplan.h", "MPLAN_CAST(size_t, rows->table[y])", "y", "rows"),
)

_ENTRIES = (
    *_in(
        f"{_TEMPLATES}model.c.in",
        "chain",
        ("if (${null_test}) {", "if (ctx == NULL) {"),
        ("} else if (${align_test}) {", "} else if (ctx == NULL) {"),
        ("status = MPLAN_ERR_ALIGN;", "status = MPLAN_ERR_NULL;"),
    ),
    *_in(
        f"{_TEMPLATES}invoke.c.in",
        "chain",
        ("const mplan_status_t status = check(ctx);", "const mplan_status_t status = MPLAN_OK;"),
        ("return status;", "return MPLAN_OK;"),
    ),
    *_in(
        f"{_TEMPLATES}invoke_rows.c.in",
        "rows",
        ("i < RUNS; i++", "(i + 1U) < RUNS; i++"),
        ("runs[i].first, runs[i].end", "runs[i].first, runs[i].end + 1U"),
        ("const mplan_status_t status = check(ctx);", "const mplan_status_t status = MPLAN_OK;"),
    ),
    *_in(
        f"{_TEMPLATES}feed_rows.c.in",
        "fed",
        ("(ctx->turn == 0U) ||", ""),
        ("(ctx->turn > ${INPUT}_ROWS)", "(ctx->turn > (${INPUT}_ROWS + 1U))"),
        ("} else if (row == NULL) {", "} else if (ctx == NULL) {"),
        ("ctx->turn != (${INPUT}_ROWS + 1U)", "ctx->turn == 0U"),
        ("        ctx->turn = 0U;", ""),
        ("ctx->run = 0U;\n", ""),
        ("ctx->turn = 1U;", "ctx->turn = 2U;"),
        ("row, ${INPUT}_ROW_BYTES)", "row, ${INPUT}_ROW_BYTES - 1U)"),
        ("row, ${INPUT}_ROW_BYTES)", "row, ${INPUT}_ROW_BYTES + 1U)"),
        ("(y + 1U) == runs[ctx->run].end", "y == runs[ctx->run].end"),
        (
            "${name}_begin(${name}_ctx_t *ctx)\n{\n    const mplan_status_t status = check(ctx);",
            "${name}_begin(${name}_ctx_t *ctx)\n{\n    const mplan_status_t status = MPLAN_OK;",
        ),
        ("status = MPLAN_ERR_ORDER;", "status = MPLAN_ERR_NULL;"),
    ),
)

_EMITTER = (
    *_in(
        "mcuplan/emit/ports.py",
        "chain",
        ("kind.q.s,", "kind.q.s * 1.0001,"),
        ("kind.q.z,", "kind.q.z + 1,"),
        ("port.shape if port.layout is None else kind.shape", "port.shape"),
        ("({len(port.shape)}U)", "({len(port.shape) + 1}U)"),
        ("_DIM{i} ({n}U)", "_DIM{i} ({n + 1}U)"),
        ("_BYTES ({port.nbytes}U)", "_BYTES ({port.nbytes + 1}U)"),
        (
            "(0, 255) if port.ctype",
            '(0, 255) if port.ctype != "uint8_t" else (-128, 127) if port.ctype',
        ),
        ("return {macro}_SCALE *", "return 2.0f * {macro}_SCALE *"),
        ("MPLAN_CAST(int32_t, q) - {macro}_ZERO_POINT", "MPLAN_CAST(int32_t, q)"),
        ("(check(ctx) == MPLAN_OK) ? {place} : NULL", "(ctx != NULL) ? {place} : NULL"),
        ("bytes[{layout.macros[layout.owner(tensor)]}]", "bytes[0]"),
    ),
    *_in(
        "mcuplan/emit/ports.py",
        "fed",
        ("_ROWS ({fed_rows}U)", "_ROWS ({fed_rows - 1}U)"),
        ("({port.nbytes // fed_rows}U)", "({port.nbytes // fed_rows - 1}U)"),
    ),
    *_in(
        "mcuplan/emit/source.py",
        "chain",
        ('["(ctx == NULL)", *members]', '["(ctx == NULL)"]'),
        ("% {ARENA_ALIGN}U) != 0U", "% 2U) != 0U"),
        ("*rows]\n        if step", '*rows[:1], "1U"]\n        if step'),
        ("({layout.offset(name)}U)", "({layout.offset(name) + 4}U)"),
    ),
    *_in(
        "mcuplan/emit/arenas.py",
        "chain",
        ("_BYTES ({arena.nbytes}U)", "_BYTES ({arena.nbytes + 4}U)"),
        ("arena_bytes(memory.arena_bytes),", "arena_bytes(memory.arena_bytes - 4),"),
    ),
    *_in(
        "mcuplan/emit/c_writer.py",
        "chain",
        ('text = f"{value:.9g}"', 'text = f"{value:.5g}"'),
        ("for v in flat.tolist()]", "for v in flat.tolist()[::-1]]"),
        (
            "return literal(number, member.ctype)",
            "return literal(number + (member.name == 'pad_top'), member.ctype)",
        ),
    ),
    *_in(
        "mcuplan/emit/row_text.py",
        "rows",
        ("{r.first}, {r.end}}}", "{r.first}, {r.end + 1}}}"),
        ("for r in runs]", "for r in runs[::-1]]"),
    ),
    *_in(
        "mcuplan/schedule/row_reach.py",
        "rows",
        ("(offset - base) // unit for offset", "(offset - base) // unit + 1 for offset"),
        ("base = min(offsets)", "base = max(offsets)"),
    ),
    *_in(
        "mcuplan/emit/constants.py",
        "mix",
        (
            'found["out_rows"] = rows(step.node.output)',
            'found["out_rows"] = rows(step.node.inputs[0])',
        ),
    ),
)

_PLANNER = (
    *_in(
        "mcuplan/schedule/liveness.py",
        "mix",
        ("end[storage] = step.index + 1", "end[storage] = step.index"),
        ("if end[storage] <= step.index + 1:", "if end[storage] <= step.index + 9:"),
        ("Slot(home[slot.buffer], slot.offset)", "Slot(home[slot.buffer], 0 * slot.offset + 4)"),
    ),
    *_in(
        "mcuplan/schedule/program.py",
        "mix",
        ("return region, offset + slot.offset", "return region, offset + slot.offset + 1"),
    ),
    *_in(
        "mcuplan/budget/footprint.py",
        "chain",
        ("total_bytes=arena + static + stack,", "total_bytes=arena + static,"),
        ("total_bytes=arena + static + stack,", "total_bytes=static + stack,"),
        ("arena = sum(arena_bytes(m.arena_bytes)", "arena = sum(m.arena_bytes // 2"),
    ),
)

_FAST = (
    *_in(
        f"{_DSP}conv2d_s8_dsp.c",
        "m4",
        ("job->zero_point = p->out_zero_point;", "job->zero_point = 0;"),
        ("outputs(p, job, last, last);", ""),
    ),
    *_in(
        f"{_DSP}conv2d_patch_s8_dsp.c",
        "m4limits",
        ("row[i] = (int8_t)mplan_clamp(row[i], p->act_min, p->act_max);", "row[i] = row[i];"),
    ),
    *_in(f"{_DSP}dense_s8_dsp.c", "m4", ("x < p->pixels", "x <= p->pixels")),
    *_in(
        f"{_DSP}add_s8_dsp.c",
        "m4mix",
        ("out[2] = (int8_t)sum;", "out[2] = out[1];"),
        ("y < y1; y++", "y <= y1; y++"),
    ),
    *_in(
        f"{_DSP}max_pool2d_s8_dsp.c",
        "m4mix",
        ("larger(load(pixel), load(out))", "load(pixel)"),
        ("size_t c = 0U; c < left", "size_t c = 1U; c < left"),
    ),
    *_in(
        f"{_MVE}dense_s8_mve.c",
        "m55",
        ("job.rest = p->in_c % LANES;", "job.rest = 1U;"),
    ),
    *_in(
        f"{_MVE}conv2d_s8_mve.c", "m55limits", ("job.act_min = p->act_min;", "job.act_min = -128;")
    ),
    *_in(
        f"{_MVE}add_s8_mve.c",
        "m55mix",
        ("rest = count % QUAD;", "rest = 0U;"),
        (
            "vstrbq_p_s32(out, vminq_s32(vmaxq_s32(result, low), high), lanes);",
            "vstrbq_s32(out, vminq_s32(vmaxq_s32(result, low), high));",
        ),
    ),
    *_in(f"{_MVE}lookup_s8_mve.c", "m55mix", ("vdupq_n_u8(0x80U)", "vdupq_n_u8(0x81U)")),
    *_in(
        f"{_SCALAR}conv2d_s8_scalar.c",
        "m0",
        ("if (found == 1U) {", "if (found == 3U) {"),
    ),
    *_in(
        f"{_SCALAR}depthwise3x3_s8_scalar.c",
        "m0",
        ("size_t x = end; x < p->out_w", "size_t x = end + 1U; x < p->out_w"),
    ),
)

MUTANTS = (*_PORTABLE, *_SHARED, *_ENTRIES, *_EMITTER, *_PLANNER, *_FAST)
"""All of them: nightly."""

QUICK = tuple(
    mutant
    for mutant in MUTANTS
    if (mutant.file.rsplit("/", 1)[-1], mutant.old)
    in {
        ("mplan_conv2d_s8.c", "y < y1; y++"),
        ("mplan_lookup_s8.c", "i < p->row_bytes"),
        ("mplan.h", "(rest >= 0.5f) &&"),
        ("model.c.in", "if (${null_test}) {"),
        ("model.c.in", "} else if (${align_test}) {"),
        ("feed_rows.c.in", "(ctx->turn == 0U) ||"),
        ("ports.py", "kind.q.s,"),
        ("ports.py", "kind.q.z,"),
        ("ports.py", "_DIM{i} ({n}U)"),
        ("footprint.py", "total_bytes=arena + static + stack,"),
    }
)
"""About ten, for every change."""
