# SPDX-License-Identifier: Apache-2.0
"""The source of a model: the table of its arena, constants, and the calls of its kernels."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from mcuplan.emit.bundle import BundlePort
from mcuplan.emit.c_writer import COLUMNS, call
from mcuplan.emit.constants import StepConstants
from mcuplan.emit.places import Places
from mcuplan.emit.ports import accessor, shape_text
from mcuplan.emit.row_text import arena_table, row_constants
from mcuplan.emit.states import taken_over
from mcuplan.ir.op import Call, Kernel
from mcuplan.ir.packed import Runs
from mcuplan.ir.staging import own_scratch_bytes, staged_array, staging_header
from mcuplan.price.structs import kernel_struct
from mcuplan.safe_text import comment_text
from mcuplan.schedule.program import Step

__all__ = ["body_values", "source_values", "staging_headers"]

STAGED = "staged"  # the copy of a params struct that points to weights in the arena


def source_values(
    places: Places,
    constants: Sequence[StepConstants],
    inputs: Sequence[BundlePort],
    outputs: Sequence[BundlePort],
) -> dict[str, str]:
    """What fills the source's template; ``constants`` are those of each step."""
    members = ["(ctx == NULL)", *(f"(ctx->{member} == NULL)" for member, _ in places.regions)]
    modulo = [f"(((uintptr_t)ctx->{m} % MPLAN_ARENA_ALIGN) != 0U)" for m, _ in places.regions]
    pairs = enumerate(zip(places.steps, constants, strict=True))
    listed = [f"{_title(places, case, step)}\n{own.text}" for case, (step, own) in pairs]
    headers = [f"{stem}.h" for stem in sorted({kernel.function for kernel in _kernels(places)})]
    headers += sorted(staging_headers(places.steps))
    strings = _copies(places) or bool(places.graph.states)
    nested = [f'__has_include("mplan/{header}")' for header in headers]
    return {
        "arena_table": arena_table(places),
        "flat_includes": "\n".join(f'#include "{header}"' for header in headers),
        "includes": "\n".join(f'#include "mplan/{header}"' for header in headers),
        "nested": " && \\\n      ".join(nested) or "1",
        "library_includes": "\n#include <string.h>\n" if strings else "",
        "offsets": _offsets(places),
        "constants": "\n".join([*row_constants(places).texts, *listed]),
        "null_test": _any(members, 8),
        "align_test": _any(modulo, 15),
        "accessors": _accessors(places, inputs, outputs),
    }


def staging_headers(steps: Iterable[Step]) -> set[str]:
    """Headers of what copies weights to the arena."""
    return {staging_header(s.kernel, s.signature) for s in steps if s.kernel.staged}


def _any(tests: Sequence[str], column: int) -> str:
    """Tests of which one holds, in a condition that begins at a column and ends with ``) {``."""
    line = " || ".join(tests)
    return line if column + len(line) + 3 <= COLUMNS else f" ||\n{' ' * column}".join(tests)


def _kernels(places: Places) -> Iterator[Kernel]:
    return (step.kernel for step in places.steps)


def body_values(places: Places, constants: Sequence[StepConstants]) -> dict[str, str]:
    """What fills the templates of the functions that run the steps."""
    make = _step if places.plan.is_straight else _case
    pairs = enumerate(zip(places.steps, constants, strict=True))
    steps = "".join(make(places, case, step, own) for case, (step, own) in pairs).rstrip("\n")
    if left := "\n".join(taken_over(places)):
        steps += f"\n\n        /* what the next call goes on from */\n{left}"
    local = "    int8_t *const {0} = ctx->{0}->bytes;"
    indent = "    " if places.plan.is_straight else ""
    used = [m for m, _ in places.regions if f"&{m}[" in steps]
    values = {
        "locals": "\n".join(indent + local.format(m) for m in used),
        "steps": steps,
        "run_gap": " " if len(places.name) <= 26 else "\n" + " " * 21,  # run_step() has 74 columns
    }
    if places.plan.fed_rows:
        port = places.graph.inputs[0].tensor
        region, _ = places.plan.address(port)
        to = f"&ctx->{places.members[region]}->bytes[at]"
        size = f"{places.name}_input_row_bytes".upper()
        copied = f"(void)memcpy({to}, row, {size})"
        values["take_row"] = copied if _copies(places) else f"take_row({to}, row)"
        values["row_at"] = places.row_index(places.owner(port), "y")
    return values


def _copies(places: Places) -> bool:
    """Whether rows of the input are copied as they come."""
    return places.plan.fed_rows > 0 and not places.graph.inputs[0].planes


def _offsets(places: Places) -> str:
    lines = [f"#define {macro} ({places.offset(name)}U)" for name, macro in places.macros.items()]
    return "\n".join(lines) + "\n"


def _title(places: Places, case: int, step: Step, indent: str = "") -> str:
    """The comment over a step; it says what the integers of its output stand for."""
    if places.is_form(case):
        return f"{indent}/* step {step.index}: runs that find {step.scratch_bytes} B of scratch */"
    shape_in = step.signature.inputs[0].shape
    name = comment_text(places.graph.node_name(step.node))
    label = comment_text(step.node.op.label)
    kinds = step.signature.outputs
    shapes = f"{shape_text(shape_in)} -> {', '.join(shape_text(kind.shape) for kind in kinds)}"
    grid = "".join(
        f"\n{indent} * output: scale {kind.q.s:.9g}, zero_point {kind.q.z}"
        for kind in kinds
        if kind.quant is not None and kind.quant.axis is None
    )
    room = COLUMNS - len(f"{indent}/*  */")
    said = f"; {step.node.op.remark}" if step.node.op.remark else ""
    lines = textwrap.wrap(
        f'step {step.index}: {label} "{name}" {shapes}{said}', room, break_on_hyphens=False
    )
    return f"{indent}/* " + f"\n{indent} * ".join(lines) + f"{grid} */"


def _accessors(places: Places, inputs: Sequence[BundlePort], outputs: Sequence[BundlePort]) -> str:
    taken = () if places.plan.fed_rows else zip(inputs, places.graph.app_inputs, strict=True)
    given = zip(outputs, places.graph.app_outputs, strict=True)
    functions = [accessor(places, port, model.tensor, is_input=True) for port, model in taken]
    functions += [accessor(places, port, model.tensor, is_input=False) for port, model in given]
    return "\n".join(functions)


def _step(places: Places, case: int, step: Step, constants: StepConstants) -> str:
    """The calls of a whole step."""
    lines = [_title(places, case, step, " " * 8)]
    lines += _run(places, step, constants, ("0U", f"{step.rows}U"))
    lines.append(f"        MPLAN_STEP_HOOK({step.index}, ctx);\n\n")
    return "\n".join(lines)


def _case(places: Places, case: int, step: Step, constants: StepConstants) -> str:
    """The calls of some rows of a step."""
    lines = [f"    case {case}U:", _title(places, case, step, " " * 8)]
    lines += _run(places, step, constants, ("y0", "y1"))
    return "\n".join([*lines, "        break;\n"])


def _run(
    places: Places, step: Step, constants: StepConstants, rows: tuple[str, str]
) -> Iterator[str]:
    """The calls that make the rows between two expressions."""
    if not places.plan.descends(step):
        first = "" if places.plan.is_straight else "y0 == 0U"
        yield from _calls(places, step, constants, rows, 8, first)
        return
    for text in _calls(places, step, constants, ("y - 1U", "y"), 12, f"y == {rows[1]}"):
        yield f"        for (size_t y = {rows[1]}; y > {rows[0]}; y--) {{\n{text}\n        }}"


def _calls(
    places: Places,
    step: Step,
    constants: StepConstants,
    rows: tuple[str, str],
    indent: int,
    first: str = "",
) -> Iterator[str]:
    """The calls of a step; ``first``: a condition of the first of several."""
    for one, params in zip(step.calls, constants.params, strict=True):
        staged = step.kernel.staged
        arguments = [f"&{STAGED if staged else params}"]
        for index in one.inputs:
            operand = constants.operands.get(index)
            arguments.append(operand or places.pointer(step.node.inputs[index]))
        arguments += [*map(places.pointer, step.node.outputs), *rows]
        if own_scratch_bytes(step.kernel, step.signature):
            arguments.append(places.scratch(step.index))
        made = call(one.function or step.kernel.function, arguments, indent + 4 * staged)
        if staged:
            before = _staging(places, step, params, one, first, indent + 4)
            space = " " * indent
            made = f"{space}{{\n{before}\n{made}\n{space}}}"
        yield made


def _staging(places: Places, step: Step, params: str, one: Call, first: str, indent: int) -> str:
    """A params struct that points to weights in the arena, which the first call copies there."""
    struct, space = kernel_struct(step.kernel.function).name, " " * indent
    region, at = places.scratch(step.index).removesuffix("]").split("[", 1)
    end = own_scratch_bytes(step.kernel, step.signature)
    place = f"{region}[{at} + {end}U]" if end else f"{region}[{at}]"
    member, packed = staged_array(one)
    weights = f"{params}_{member}"
    stage, copied = "mplan_stage", [place, weights, f"sizeof({weights})"]
    if isinstance(packed.blocks, Runs):
        copied = [place, weights, f"{packed.block_count}U", f"{packed.blocks.taps}U"]
        stage = "mplan_widen_runs"
    elif packed.blocks is not None:
        blocks = packed.blocks
        sizes = (packed.block_count, blocks.times, blocks.head, blocks.taps, blocks.tail)
        stage, copied = "mplan_widen", [place, weights, *(f"{size}U" for size in sizes)]
        if blocks.factors is not None:
            signs = "0x80008000U" if blocks.factors.halves else "0x80808080U"
            copied += [f"{blocks.factors.run}U", f"{blocks.factors.period}U", signs]
            stage = "mplan_widen_blocks"
    begin = f"{space}{struct} {STAGED} = {params};\n"
    if not first:
        return f"{begin}\n{call(f'{STAGED}.{member} = {stage}', copied, indent)}"
    made = call(f"(void){stage}", copied, indent + 4)
    lines = [begin, f"{space}if ({first}) {{", made, f"{space}}}"]
    return "\n".join([*lines, f"{space}{STAGED}.{member} = (const void *){place};"])
