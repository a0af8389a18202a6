# SPDX-License-Identifier: Apache-2.0
"""The source of a model: the table of its arena, constants, and the calls of its kernels."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.emit.bundle import BundlePort
from mcuplan.emit.c_writer import call
from mcuplan.emit.constants import StepConstants
from mcuplan.emit.layout import Layout
from mcuplan.emit.names import comment_text
from mcuplan.emit.ports import accessor, shape_text
from mcuplan.emit.structs import ARENA_ALIGN
from mcuplan.schedule.program import Step

__all__ = ["source_values"]


def source_values(
    layout: Layout,
    constants: Sequence[StepConstants],
    inputs: Sequence[BundlePort],
    outputs: Sequence[BundlePort],
) -> dict[str, str]:
    """What fills the source's template; ``constants`` are those of each step."""
    members = [f"(ctx->{member} == NULL)" for member, _ in layout.regions]
    modulo = [f"(((uintptr_t)ctx->{m} % {ARENA_ALIGN}U) != 0U)" for m, _ in layout.regions]
    local = "        int8_t *const {0} = ctx->{0}->bytes;"
    pairs = list(zip(layout.steps, constants, strict=True))
    steps = "".join(_step(layout, step, made) for step, made in pairs).rstrip("\n")
    headers = sorted({step.kernel.function for step in layout.steps})
    return {
        "arena_table": _arena_table(layout),
        "includes": "".join(f'#include "{stem}.h"\n' for stem in headers),
        "offsets": _offsets(layout),
        "constants": "\n".join(f"/* {_title(layout, step)} */\n{c.text}" for step, c in pairs),
        "null_test": " || ".join(["(ctx == NULL)", *members]),
        "align_test": " || ".join(modulo),
        "accessors": _accessors(layout, inputs, outputs),
        "locals": "\n".join(local.format(m) for m, _ in layout.regions if f"&{m}[" in steps),
        "steps": steps,
    }


def _arena_table(layout: Layout) -> str:
    lines = []
    plan = layout.plan
    usable = {r.name: r.usable_bytes for r in plan.program.target.ram}
    for region, memory in plan.memory.items():
        lines.append(f' * Arena "{region}": {memory.arena_bytes} of {usable[region]} B.')
        lines.append(" *   offset   bytes  live        tensor")
        placed = {p.buffer.name: p for p in memory.placements}
        for name in layout.macros:
            slot = plan.allocation.slots.get(name)
            placement = placed.get(slot.buffer if slot is not None else name)
            if placement is None:
                continue
            buffer = placement.buffer
            span = f"[{buffer.live.start}, {buffer.live.end})"
            text = comment_text(name)
            lines.append(f" * {placement.offset:8d} {buffer.nbytes:7d}  {span:<10}  {text}")
    return "\n".join(lines)


def _offsets(layout: Layout) -> str:
    lines = []
    for name, macro in layout.macros.items():
        in_slots = name in layout.plan.allocation.slots
        _, offset = layout.plan.address(name) if in_slots else layout.plan.place(name)
        lines.append(f"#define {macro} ({offset}U)")
    return "\n".join(lines) + "\n"


def _title(layout: Layout, step: Step) -> str:
    shape_in = step.signature.inputs[0].shape
    name = comment_text(layout.graph.node_name(step.node))
    label = comment_text(step.node.op.label)
    shapes = f"{shape_text(shape_in)} -> {shape_text(step.signature.output.shape)}"
    return f'step {step.index}: {label} "{name}" {shapes}'


def _accessors(layout: Layout, inputs: Sequence[BundlePort], outputs: Sequence[BundlePort]) -> str:
    groups = ((inputs, layout.graph.inputs, True), (outputs, layout.graph.outputs, False))
    return "\n".join(
        accessor(layout, port, given.tensor, is_input=is_input)
        for ports, model, is_input in groups
        for port, given in zip(ports, model, strict=True)
    )


def _step(layout: Layout, step: Step, constants: StepConstants) -> str:
    lines = [f"        /* {_title(layout, step)} */"]
    falls = step.index in layout.plan.descending
    rows = f"{step.signature.output.rows}U"
    for made, params in zip(step.calls, constants.params, strict=True):
        arguments = [f"&{params}"]
        for index in made.inputs:
            operand = constants.operands.get(index)
            arguments.append(operand or layout.pointer(step.node.inputs[index]))
        arguments.append(layout.pointer(step.node.output))
        arguments += ["y - 1U", "y"] if falls else ["0U", rows]
        if step.scratch_bytes:
            arguments.append(layout.scratch(step.index))
        function = made.function or step.kernel.function
        if falls:
            lines.append(f"        for (size_t y = {rows}; y > 0U; y--) {{")
        lines.append(call(function, arguments, 12 if falls else 8))
        if falls:
            lines.append("        }")
    lines.append(f"        MPLAN_STEP_HOOK({step.index}, ctx);\n\n")
    return "\n".join(lines)
