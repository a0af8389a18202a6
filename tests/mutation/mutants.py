# SPDX-License-Identifier: Apache-2.0
"""Faults put into kernels, templates, emitter and planner, one at a time; ``verify`` must fail.

``old`` stands once or more in ``file``; the first place becomes ``new``. ``run`` names what must
notice (:data:`mutation_nets.RUNS`). A mutant that changes nothing that can be seen says why in
``equivalent``; it must pass.
"""

from __future__ import annotations

from kernel_mutants import FAST, PORTABLE, Mutant, several

__all__ = ["MUTANTS", "QUICK", "Mutant"]

_TEMPLATES = "codegen/templates/"

_SHARED = (
    *several(
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
    *several(
        f"{_TEMPLATES}model.c.in",
        "chain",
        ("if (${null_test}) {", "if (ctx == NULL) {"),
        ("} else if (${align_test}) {", "} else if (ctx == NULL) {"),
        ("status = MPLAN_ERR_ALIGN;", "status = MPLAN_ERR_NULL;"),
    ),
    *several(
        f"{_TEMPLATES}invoke.c.in",
        "chain",
        ("const mplan_status_t status = check(ctx);", "const mplan_status_t status = MPLAN_OK;"),
        ("return status;", "return MPLAN_OK;"),
    ),
    *several(
        f"{_TEMPLATES}invoke_rows.c.in",
        "rows",
        ("i < RUNS; i++", "(i + 1U) < RUNS; i++"),
        ("runs[i].first, runs[i].end", "runs[i].first, runs[i].end + 1U"),
        ("const mplan_status_t status = check(ctx);", "const mplan_status_t status = MPLAN_OK;"),
    ),
    *several(
        f"{_TEMPLATES}feed_rows.c.in",
        "fed",
        ("(ctx->turn == 0U) ||", ""),
        ("(ctx->turn > ${INPUT}_ROWS)", "(ctx->turn > (${INPUT}_ROWS + 1U))"),
        ("} else if (row == NULL) {", "} else if (ctx == NULL) {"),
        ("ctx->run = 0U;\n", ""),
        ("ctx->turn = 1U;", "ctx->turn = 2U;"),
        ("(y + 1U) == runs[ctx->run].end", "y == runs[ctx->run].end"),
        (
            "${name}_begin(${name}_ctx_t *ctx)\n{\n    const mplan_status_t status = check(ctx);",
            "${name}_begin(${name}_ctx_t *ctx)\n{\n    const mplan_status_t status = MPLAN_OK;",
        ),
        ("status = MPLAN_ERR_ORDER;", "status = MPLAN_ERR_NULL;"),
    ),
    *several(
        f"{_TEMPLATES}finish.c.in",
        "fed",
        ("ctx->turn != (${INPUT}_ROWS + 1U)", "ctx->turn == 0U"),
        ("        ctx->turn = 0U;", ""),
        ("status = MPLAN_ERR_ORDER;", "status = MPLAN_ERR_NULL;"),
    ),
    *several(
        f"{_TEMPLATES}finish_in_parts.c.in",
        "parts",
        ("ctx->turn <= ${INPUT}_ROWS", "ctx->turn == 0U"),
        ("            ctx->turn = 0U;", ""),
        ("        ctx->turn++;", ""),
        ("ctx->run < RUNS", "ctx->run <= RUNS"),
        ("status = MPLAN_MORE;", "status = MPLAN_OK;"),
        ("(size_t)ctx->turn - ${INPUT}_ROWS", "(size_t)ctx->turn - ${INPUT}_ROWS - 1U"),
    ),
)

_EMITTER = (
    *several(
        "mcuplan/emit/ports.py",
        "chain",
        ("float_literal(port.quant.s)", "float_literal(port.quant.s * 1.0001)"),
        ("_ZERO_POINT ({port.quant.z})", "_ZERO_POINT ({port.quant.z + 1})"),
        ("({len(port.shape)}U)", "({len(port.shape) + 1}U)"),
        ("_DIM{i} ({n}U)", "_DIM{i} ({n + 1}U)"),
        ("_BYTES ({port.nbytes}U)", "_BYTES ({port.nbytes + 1}U)"),
        ("str(port.dtype.low), str(port.dtype.high)", '"0", "255"'),
        ("return {macro}_SCALE *", "return 2.0f * {macro}_SCALE *"),
        ("MPLAN_CAST(int32_t, q) - {macro}_ZERO_POINT", "MPLAN_CAST(int32_t, q)"),
        ("return (check(ctx) == MPLAN_OK)", "return (ctx != NULL)"),
    ),
    *several(
        "mcuplan/emit/ports.py",
        "rows",
        ("port.shape if port.layout is None or port.planes else kind.shape", "port.shape"),
    ),
    *several(
        "mcuplan/emit/ports.py",
        "mix",
        ("bytes[{places.macros[places.owner(tensor)]}]", "bytes[0]"),
    ),
    *several(
        "mcuplan/emit/ports.py",
        "fed",
        ("_ROWS ({fed_rows}U)", "_ROWS ({fed_rows - 1}U)"),
        ("({port.nbytes // fed_rows}U)", "({port.nbytes // fed_rows - 1}U)"),
    ),
    *several(
        "mcuplan/emit/source.py",
        "fed",
        ("row, {size})", "row, {size} - 1U)"),
        ("row, {size})", "row, {size} + 1U)"),
    ),
    *several(
        "mcuplan/emit/source.py",
        "chain",
        ('"null_test": _any(members, 8)', '"null_test": _any(members[:1], 8)'),
        ("% MPLAN_ARENA_ALIGN) != 0U", "% 2U) != 0U"),
        ("*rows]\n        if own_scratch", '*rows[:1], "1U"]\n        if own_scratch'),
        ("({places.offset(name)}U)", "({places.offset(name) + 4}U)"),
    ),
    *several(
        "mcuplan/emit/arenas.py",
        "chain",
        ("_BYTES ({arena.nbytes}U)", "_BYTES ({arena.nbytes + 4}U)"),
        ("arena_bytes(memory.arena_bytes),", "arena_bytes(memory.arena_bytes - 4),"),
    ),
    *several(
        "mcuplan/emit/c_writer.py",
        "chain",
        ('text = f"{value:.9g}"', 'text = f"{value:.5g}"'),
        ('suffix}" for value in whole.tolist()]', 'suffix}" for value in whole.tolist()[::-1]]'),
        (
            "return literal(number, dtype)",
            "return literal(number + (member.name == 'pad_top'), dtype)",
        ),
    ),
    *several(
        "mcuplan/emit/row_text.py",
        "rows",
        ("{r.first}, {r.end}}}", "{r.first}, {r.end + 1}}}"),
        ("table(entries)", "table(entries[::-1])"),
    ),
    *several(
        "mcuplan/schedule/assembly/row_reach.py",
        "rows",
        ("(offset - base) // unit for offset", "(offset - base) // unit + 1 for offset"),
        ("base = min(offsets)", "base = max(offsets)"),
    ),
    *several(
        "mcuplan/emit/constants.py",
        "mix",
        (
            'else f"out{position + 1}_rows"] = rows(name)',
            'else f"out{position + 1}_rows"] = rows(step.node.inputs[0])',
        ),
    ),
)

_PLANNER = (
    *several(
        "mcuplan/schedule/assembly/liveness.py",
        "mix",
        ("end[storage] = step.index + 1", "end[storage] = step.index"),
        ("if end[storage] <= step.index + 1:", "if end[storage] <= step.index + 9:"),
        ("Slot(home[slot.buffer], slot.offset)", "Slot(home[slot.buffer], 0 * slot.offset + 4)"),
    ),
    *several(
        "mcuplan/schedule/program.py",
        "mix",
        ("return region, offset + slot.offset", "return region, offset + slot.offset + 1"),
    ),
    *several(
        "mcuplan/budget/footprint.py",
        "chain",
        ("total_bytes=arena + static + stack,", "total_bytes=arena + static,"),
        ("total_bytes=arena + static + stack,", "total_bytes=static + stack,"),
        ("arena = sum(arena_bytes(m.arena_bytes)", "arena = sum(m.arena_bytes // 2"),
    ),
)

MUTANTS = (*PORTABLE, *_SHARED, *_ENTRIES, *_EMITTER, *_PLANNER, *FAST)
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
        ("ports.py", "float_literal(port.quant.s)"),
        ("ports.py", "_ZERO_POINT ({port.quant.z})"),
        ("ports.py", "_DIM{i} ({n}U)"),
        ("footprint.py", "total_bytes=arena + static + stack,"),
    }
)
"""About ten, for every change."""
