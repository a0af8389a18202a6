# SPDX-License-Identifier: Apache-2.0
"""A plan becomes a bundle: header, source, and the kernels it calls."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Template
from types import MappingProxyType

from mcuplan import __version__
from mcuplan.emit.arenas import linker_values
from mcuplan.emit.bundle import Bundle
from mcuplan.emit.constants import step_constants
from mcuplan.emit.header import entry_values, header_values
from mcuplan.emit.layout import Layout
from mcuplan.emit.names import c_prefix, comment_text
from mcuplan.emit.ports import ports_of
from mcuplan.emit.row_text import row_tables
from mcuplan.emit.source import body_values, source_values
from mcuplan.ir.op import Kernel
from mcuplan.resources import codegen_dir
from mcuplan.schedule.program import Plan

__all__ = ["Stamp", "emit"]

_ABI = 1


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the header says of its making. Nothing in it changes from run to run."""

    model: str  # file name
    sha256: str
    options: str = "none"
    stack: str = "see the report"
    flags: str = "arm-none-eabi-gcc -O2"  # what the figure of the stack is for


def emit(plan: Plan, name: str, stamp: Stamp) -> Bundle:
    """C sources of a plan, as text.

    Raises:
        InputTooLarge: a layer is larger than its kernel addresses.
    """
    layout = Layout(plan, c_prefix(name))
    name, graph = layout.name, layout.graph
    inputs = ports_of(layout, graph.inputs, "input")
    outputs = ports_of(layout, graph.outputs, "output")
    constants = tuple(
        step_constants(step, graph.node_name(step.node), layout.row_fields) for step in layout.steps
    )
    common = _common(layout, stamp)
    entry = common | entry_values(layout, inputs, outputs) | body_values(layout, constants)
    declared, defined = _entries(layout, entry)
    header = common | header_values(layout, inputs, outputs) | {"functions": declared}
    source = common | source_values(layout, constants, inputs, outputs) | {"functions": defined}
    files = {
        PurePosixPath(f"{name}.h"): _fill("model.h.in", header),
        PurePosixPath(f"{name}.c"): _fill("model.c.in", source),
    }
    files |= _library({step.kernel for step in layout.steps})
    sources = " ".join(str(path) for path in files if path.suffix == ".c")
    files[PurePosixPath(f"{name}.mk")] = _fill("model.mk.in", common | {"sources": sources})
    linker = linker_values(name, layout.arenas)
    if linker is not None:
        files[PurePosixPath(f"{name}.ld")] = _fill("model.ld.in", common | linker)
    return Bundle(
        name=name,
        files=MappingProxyType(files),
        inputs=inputs,
        outputs=outputs,
        regions=layout.regions,
        symbols=(
            *row_tables(layout).symbols,
            *(symbol for made in constants for symbol in made.symbols),
        ),
        steps=len(plan.runs),
        fed_rows=plan.fed_rows,
        sections=tuple((a.member, a.memory) for a in layout.arenas if a.region.section),
    )


def _entries(layout: Layout, values: Mapping[str, str]) -> tuple[str, str]:
    """The functions that run the model, declared and defined."""
    if layout.plan.fed_rows:
        entry = _part("feed_rows.h.in", values)
        parts = ["rows.c.in", "row_planes.c.in", "feed_rows.c.in"]
        if not layout.graph.inputs[0].planes:
            parts.remove("row_planes.c.in")
        return entry, "\n\n".join(_part(part, values) for part in parts)
    entry = _part("invoke.h.in", values)
    if not layout.plan.is_straight:
        return entry, _part("rows.c.in", values) + "\n\n" + _part("invoke_rows.c.in", values)
    return entry, _part("invoke.c.in", values)


def _part(template: str, values: Mapping[str, str]) -> str:
    """A part of a file: a template without its first line, the licence."""
    return _fill(template, values).split("\n", 1)[1].rstrip("\n")


def _common(layout: Layout, stamp: Stamp) -> dict[str, str]:
    """What every file of a bundle says of it."""
    return {
        "file": layout.name,
        "name": layout.name,
        "NAME": layout.name.upper(),
        "version": __version__,
        "target": layout.plan.program.target.name,
        "model": comment_text(stamp.model),
        "sha256": stamp.sha256,
        "options": comment_text(stamp.options, 200),
        "abi": str(_ABI),
        "stack": comment_text(stamp.stack, 200),
        "flags": "\n * ".join(textwrap.wrap(comment_text(stamp.flags, 200), 82)),
    }


def _library(kernels: Iterable[Kernel]) -> dict[PurePosixPath, str]:
    """The kernels that are called, with their headers, verbatim."""
    root = codegen_dir()
    files = {PurePosixPath("mplan/mplan.h"): _text(root / "include" / "mplan.h")}
    for kernel in sorted(kernels, key=lambda k: k.function):
        stem = kernel.function
        files[PurePosixPath(f"mplan/{stem}.h")] = _text(root / "include" / f"{stem}.h")
        source = root / "kernels" / kernel.backend / f"{stem}.c"
        files[PurePosixPath(f"mplan/{stem}.c")] = _text(source)
    return files


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii")


def _fill(template: str, values: Mapping[str, str]) -> str:
    text = Template(_text(codegen_dir() / "templates" / template))
    return text.substitute(values)
