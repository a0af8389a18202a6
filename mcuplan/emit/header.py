# SPDX-License-Identifier: Apache-2.0
"""The header of a model: what an application sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcuplan.emit.bundle import BundlePort
from mcuplan.emit.layout import Layout
from mcuplan.emit.ports import declared, helper, port_macros

__all__ = ["header_values"]


def header_values(
    layout: Layout, inputs: Sequence[BundlePort], outputs: Sequence[BundlePort]
) -> dict[str, str]:
    """What fills the header's template."""
    name = layout.name
    ports = [*((p, True) for p in inputs), *((p, False) for p in outputs)]
    return {
        "arena_macros": _arena_macros(layout),
        "port_macros": "\n".join(port_macros(p) for p in (*inputs, *outputs)),
        "arena_types": _arena_types(layout),
        "ctx_members": "\n".join(f"    {name}_{r}_t *{r};" for r, _ in layout.regions),
        "accessors": "\n".join(declared(layout, p, is_input=i) for p, i in ports),
        "helpers": "\n".join(helper(p, is_input=i) for p, i in ports) + "\n",
        "inputs_s": "s" if len(inputs) > 1 else "",
        "outputs_s": "s" if len(outputs) > 1 else "",
        "overwritten": _overwritten(layout),
    }


def _arena_macros(layout: Layout) -> str:
    lines = []
    sections = {r.name: r.section for r in layout.plan.program.target.ram}
    for (member, nbytes), (region, memory) in zip(
        layout.regions, layout.plan.memory.items(), strict=True
    ):
        macro = f"{layout.name}_{member}_bytes".upper()
        note = f'arena in region "{member}", peak at step {memory.peak_step}'
        lines.append(f"#define {macro} ({nbytes}U) /* {note} */")
        section = sections[region]
        if section:
            stem = f"{layout.name}_{member}_section".upper()
            use = "MPLAN_SECTION(...) of the object"
            lines.append(f'#define {stem} "{section}" /* {use} */')
    return "\n".join(lines) + "\n"


def _arena_types(layout: Layout) -> str:
    parts = []
    for member, _ in layout.regions:
        macro = f"{layout.name}_{member}_bytes".upper()
        parts.append(
            f'/**\n * Working memory in region "{member}"; the application defines it.\n'
            f" * Between calls only the output in it means something.\n */\n"
            f"typedef struct {{\n    MPLAN_ALIGNED(MPLAN_ARENA_ALIGN) int8_t bytes[{macro}];\n"
            f"}} {layout.name}_{member}_t;\n\n"
        )
    return "".join(parts)


def _overwritten(layout: Layout) -> str:
    """Whether the bytes of an input serve another purpose during a call."""
    slots = layout.plan.allocation.slots
    mine = {slots[p.tensor].buffer for p in layout.graph.inputs}
    spans = list(_spans(layout))
    inputs = [span for span in spans if span[0] in mine]
    shared = any(
        a[0] != b[0] and a[1] == b[1] and a[2] < b[3] and b[2] < a[3] for a in inputs for b in spans
    )
    owners = [slots[n].buffer for n in layout.owners()]
    aliased = any(owners.count(buffer) > 1 for buffer in mine)
    if shared or aliased:
        return "is overwritten: write it anew before every call"
    return "is kept: it may be used again in the next call"


def _spans(layout: Layout) -> Iterator[tuple[str, str, int, int]]:
    """Name, region, first byte and end of every buffer."""
    for region, memory in layout.plan.memory.items():
        for placement in memory.placements:
            end = placement.offset + placement.buffer.nbytes
            yield placement.buffer.name, region, placement.offset, end
