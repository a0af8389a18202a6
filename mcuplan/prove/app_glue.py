# SPDX-License-Identifier: Apache-2.0
"""Names, for the program that uses a bundle as an application would, what its header has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcuplan.ir.types import DType
from mcuplan.prove.api import BundleApi, IoPort
from mcuplan.prove.glue import arena_objects, call_functions, fill

__all__ = ["MISALIGNED", "PROBES", "application_source"]

MISALIGNED = (1, 2, 3)
"""Bytes by which the arenas of wrong contexts lie beside an aligned address."""

PROBES = 1024
"""Real values for the conversion of each input: APP_PROBES of app.h."""


def application_source(api: BundleApi, ranks: Mapping[str, int], *, sections: bool) -> str:
    """C text that ties a header to ``app.c``; ``ranks``: axes of each port, by accessor."""
    arenas = [api.arena(member) for member, _ in api.regions]
    placed = {member for member, _ in api.sections if sections}
    wrong = list(_wrong(api))
    ports = (*api.inputs, *api.outputs)
    return fill(
        "app_glue.c.in",
        name=api.name,
        header=api.header,
        arenas="\n".join(arena_objects(api, placed, ())),
        members=_members(api, {}),
        wrong="\n".join(f"    {{\n{text}\n    }}," for text in wrong),
        wrong_pointers="\n".join(f"    &wrong[{i}]," for i in range(len(wrong))),
        wrong_count=str(1 + len(wrong)),
        wrappers="\n".join(_wrappers(api)),
        calls=call_functions(api),
        entries=_entries(api),
        regions="\n".join(f"    {{ (uint8_t *)&{a}, (uint32_t)sizeof {a} }}," for a in arenas),
        arena_count=str(len(arenas)),
        facts="\n".join(f"    (uint32_t)({fact})," for fact in _facts(api, ranks)),
        scales="\n".join(f"    {port.accessor.upper()}_SCALE," for port in ports if port.on_grid),
        inputs="\n".join(_port(api, port, is_input=True) for port in api.inputs),
        outputs="\n".join(_port(api, port, is_input=False) for port in api.outputs),
        input_count=str(len(api.inputs)),
        output_count=str(len(api.outputs)),
    )


def _members(api: BundleApi, changed: Mapping[str, str]) -> str:
    """Initializers of a context."""
    return "\n".join(
        f"    .{member} = {changed.get(member, f'&{api.arena(member)}')},"
        for member, _ in api.regions
    )


def _wrong(api: BundleApi) -> Iterator[str]:
    """Contexts that are not usable: no arena, then arenas beside an aligned address."""
    for member, _ in api.regions:
        yield _members(api, {member: "NULL"})
    for member, kind in api.regions:
        for by in MISALIGNED:
            place = f"({kind} *)(void *)((uint8_t *)&{api.arena(member)} + {by})"
            yield _members(api, {member: place})


def _wrappers(api: BundleApi) -> Iterator[str]:
    """Functions of one type around those of the header."""
    for port in api.inputs:
        if not api.fed_rows:
            yield f"APP_AT({port.accessor}, {api.name}_ctx_t)"
        word = "APP_QUANTIZE" if port.on_grid else "APP_INTEGER"
        yield f"{'APP_WORD' if port.dtype.is_float else word}({port.accessor})"
    for port in api.outputs:
        yield f"APP_AT({port.accessor}, {api.name}_ctx_t)"
        real = f"APP_REAL({port.accessor}, {port.dtype.c_type})"
        word = "APP_FLOAT" if port.dtype.is_float else "APP_NUMBER"
        yield real if port.on_grid else f"{word}({port.accessor})"


def _facts(api: BundleApi, ranks: Mapping[str, int]) -> Iterator[str]:
    """Integer expressions over the header's macros."""
    yield from ("MPLAN_OK", "MPLAN_ERR_NULL", "MPLAN_ERR_ALIGN", "MPLAN_ERR_ORDER", "MPLAN_MORE")
    yield "MPLAN_ARENA_ALIGN"
    for member, kind in api.regions:
        yield f"{api.name}_{member}_BYTES".upper()
        yield f"sizeof({kind})"
    for port in (*api.inputs, *api.outputs):
        stem = port.accessor.upper()
        words = ["BYTES", "COUNT", "RANK", *(f"DIM{axis}" for axis in range(ranks[port.accessor]))]
        words += ["ZERO_POINT"] if port.on_grid else []
        if api.fed_rows and port in api.inputs:
            words += ["ROWS", "ROW_BYTES", *(["ROW_PLANES", "ROW_PIXELS"] if port.planes else [])]
        yield from (f"{stem}_{word}" for word in words)


def tried_from(dtype: DType) -> int:
    """The least of 256 words, integers or the bits of real values, that a port converts."""
    return 0 if dtype.is_float else max(dtype.low, DType.INT8.low)


def _port(api: BundleApi, port: IoPort, *, is_input: bool) -> str:
    fed = is_input and bool(api.fed_rows)
    members = {
        "at": "NULL" if fed else f"{port.accessor}_at",
        "quantize": f"{port.accessor}_q" if is_input else "NULL",
        "real": "NULL" if is_input else f"{port.accessor}_r",
        "fed": "fed_input" if fed else "NULL",
        "nbytes": f"{port.nbytes}U",
        "low": str(tried_from(port.dtype)),
        "size": f"{port.dtype.nbytes()}U",
    }
    return "    { " + ", ".join(f".{name} = {value}" for name, value in members.items()) + " },"


def _entries(api: BundleApi) -> str:
    """The functions of the model by number, and calls out of order."""
    template = "app_feed.c.in" if api.fed_rows else "app_invoke.c.in"
    template = "app_states.c.in" if api.states else template
    counts = {"rows": str(api.fed_rows), "finishing": str(api.finishing)}
    return fill(template, name=api.name, **counts).split("\n", 1)[1]
