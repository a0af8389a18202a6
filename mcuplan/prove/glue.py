# SPDX-License-Identifier: Apache-2.0
"""Describes a bundle to the runner of test images, as C."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from string import Template

from mcuplan.prove.api import BundleApi, DeadBytes, IoPort, KeptBytes, TensorDump
from mcuplan.resources import codegen_dir

__all__ = ["arena_objects", "call_functions", "fill", "glue_source"]


def glue_source(
    api: BundleApi,
    dumps: tuple[TensorDump, ...] = (),
    dead: tuple[DeadBytes, ...] = (),
    kept: tuple[KeptBytes, ...] = (),
    *,
    sections: bool = False,
) -> str:
    """C text that describes a bundle to the runner; ``sections``: arenas in those they have.

    Where bytes are to be kept, those around an arena without section are, too.
    """
    arena = {region: api.arena(region) for region, _ in api.regions}
    placed = {member for member, _ in api.sections if sections}
    fenced = [name for region, name in arena.items() if kept and region not in placed]
    spoiled = list(_spoiled(api, arena))
    return fill(
        "glue.c.in",
        name=api.name,
        header=api.header,
        arenas="\n".join(arena_objects(api, placed, fenced)),
        const="" if api.fed_rows else "const ",
        members="\n".join(f"    .{region} = &{arena[region]}," for region in arena),
        inputs=_ports(api.inputs),
        outputs=_ports(api.outputs),
        input_count=str(len(api.inputs)),
        output_count=str(len(api.outputs)),
        regions="\n".join(spoiled),
        region_count=str(len(spoiled)),
        fences="\n".join(_fence(name) for name in fenced),
        fence_count=str(2 * len(fenced)),
        mark_count=str(max(api.steps, 1)),
        bindings=_bindings(api),
        calls=call_functions(api),
        **_by_step(api, dumps, dead, kept),
    )


def _by_step(
    api: BundleApi,
    dumps: tuple[TensorDump, ...],
    dead: tuple[DeadBytes, ...],
    kept: tuple[KeptBytes, ...],
) -> dict[str, str]:
    """The tables of what hooks do, by step; kept bytes go on to the step after the last."""
    arena = {region: api.arena(region) for region, _ in api.regions}
    steps = (each.step for group in (dumps, dead, kept) for each in group)
    last = max([api.steps - 1, 0, *steps])
    numbered = sorted(enumerate(dumps), key=lambda pair: pair[1].step)
    return {
        "dumps": _dumps(numbered, arena),
        "dump_start": _starts((dump.step for _, dump in numbered), last),
        "dump_count": str(len(dumps)),
        "dead": _spans(dead, arena),
        "dead_start": _starts((each.step for each in dead), last),
        "kept": _spans(kept, arena),
        "kept_start": _starts((each.step for each in kept), last + 1),
    }


def _dumps(numbered: Sequence[tuple[int, TensorDump]], arena: Mapping[str, str]) -> str:
    """An entry for each piece of a tensor to keep, with its number."""
    return "\n".join(
        f"    {{ {index}U, (const uint8_t *)&{arena[dump.region]} + {dump.offset}, "
        f"{dump.nbytes}U }},"
        for index, dump in numbered
    )


def _spans(spans: Iterable[DeadBytes | KeptBytes], arena: Mapping[str, str]) -> str:
    """An entry for each of the spans, by step."""
    return "\n".join(
        f"    {{ (uint8_t *)&{arena[each.region]} + {each.offset}, {each.nbytes}U }},"
        for each in sorted(spans, key=lambda each: each.step)
    )


def arena_objects(
    api: BundleApi, placed: Collection[str], fenced: Collection[str]
) -> Iterator[str]:
    """A definition of each arena, in its section where ``placed``, between fences where so."""
    for member, kind in api.regions:
        name, macro = api.arena(member), f"{api.name}_{member}".upper()
        if name in fenced:
            yield f"HARNESS_FENCED({kind}) {name}_fenced;\n#define {name} {name}_fenced.arena"
            continue
        where = f" MPLAN_SECTION({macro}_SECTION)" if member in placed else ""
        yield f"{kind} {name}{where};"


def _fence(name: str) -> str:
    """What lies before and behind an arena."""
    return "\n".join(
        f"    {{ {name}_fenced.{side}, HARNESS_FENCE_BYTES }}," for side in ("before", "behind")
    )


def _ports(ports: Sequence[IoPort]) -> str:
    return "\n".join(f"    {{ NULL, {port.nbytes}U }}," for port in ports)


def _starts(steps: Iterable[int], last: int) -> str:
    """For each step up to ``last``, and one more, where its entries in a sorted array begin."""
    counts = [0] * (last + 1)
    for step in steps:
        counts[step] += 1
    return "\n".join(f"    {start}U," for start in (0, *accumulate(counts)))


def _bindings(api: BundleApi) -> str:
    """Statements that say where the ports lie."""
    taken = () if api.fed_rows else api.inputs
    lines = ["    harness_inputs[0].address = fed_input;"] if api.fed_rows else []
    lines += [
        f"    harness_{kind}[{index}].address = (void *)(uintptr_t){port.accessor}(&context);"
        for kind, group in (("inputs", taken), ("outputs", api.outputs))
        for index, port in enumerate(group)
    ]
    if api.states:
        lines.append(f"    (void){api.name}_reset(&context);")
    return "\n".join(lines)


def _spoiled(api: BundleApi, arena: Mapping[str, str]) -> Iterator[str]:
    """What a call finds overwritten: arenas, but for the states in them."""
    for region, name in arena.items():
        at = f"(uint8_t *)&{name}"
        start = 0
        for _, offset, nbytes in sorted(state for state in api.states if state[0] == region):
            if offset > start:
                yield f"    {{ {at} + {start}U, {offset - start}U }},"
            start = offset + nbytes
        size = f"(uint32_t)sizeof {name}"
        yield (
            f"    {{ {at} + {start}U, {size} - {start}U }},"
            if start
            else f"    {{ {at}, {size} }},"
        )


def call_functions(api: BundleApi) -> str:
    """The functions that call the model, without the licence line of their template."""
    if not api.fed_rows:
        return fill("glue_invoke.c.in", name=api.name).split("\n", 1)[1]
    (port,) = api.inputs
    return fill(
        "glue_feed.c.in",
        name=api.name,
        rows=str(api.fed_rows),
        finishing=str(api.finishing),
        row_elements=str(port.nbytes // port.dtype.nbytes() // api.fed_rows),
        row_ctype=port.dtype.c_type,
        planes=str(max(1, port.planes)),
    ).split("\n", 1)[1]


def fill(template: str, **values: str) -> str:
    """The text of a template of the harness with its values."""
    text = (codegen_dir() / "harness" / template).read_text(encoding="utf-8")
    return Template(text).substitute(values)
