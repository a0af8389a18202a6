# SPDX-License-Identifier: Apache-2.0
"""A plan becomes a bundle: header, source, and the kernels it calls."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Template
from types import MappingProxyType

from mcuplan import __version__
from mcuplan.emit.arenas import linker_values
from mcuplan.emit.bundle import Bundle
from mcuplan.emit.c_writer import wrapped
from mcuplan.emit.constants import StepConstants, step_constants
from mcuplan.emit.header import computes_reals, entry_values, header_values
from mcuplan.emit.places import Places
from mcuplan.emit.ports import ports_of
from mcuplan.emit.row_text import row_constants
from mcuplan.emit.source import body_values, source_values, staging_headers
from mcuplan.emit.states import state_values, states_of
from mcuplan.ir.op import Kernel
from mcuplan.resources import codegen_dir
from mcuplan.safe_text import c_prefix, comment_text
from mcuplan.schedule.program import Plan

__all__ = ["Stamp", "emit"]

_ABI = 1
_INCLUDED = re.compile(r'^#include "(mplan\w*\.h)"', re.MULTILINE)


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
    places = Places(plan, c_prefix(name))
    name, graph = places.name, places.graph
    inputs = ports_of(places, graph.app_inputs, "input")
    outputs = ports_of(places, graph.app_outputs, "output")
    constants = tuple(_constants(places))
    common = _common(places, stamp)
    entry = common | entry_values(places, inputs, outputs) | body_values(places, constants)
    entry |= state_values(places)
    declared, defined = _entries(places, entry)
    header = common | header_values(places, inputs, outputs) | {"functions": declared}
    source = common | source_values(places, constants, inputs, outputs) | {"functions": defined}
    files = {
        PurePosixPath(f"{name}.h"): wrapped(_fill("model.h.in", header)),
        PurePosixPath(f"{name}.c"): _fill("model.c.in", source),
    }
    files |= _library({step.kernel for step in places.steps}, staging_headers(places.steps))
    files |= _fragments(places, common, files)
    return Bundle(
        name=name,
        files=MappingProxyType(files),
        inputs=inputs,
        outputs=outputs,
        regions=places.regions,
        symbols=(
            *row_constants(places).symbols,
            *(symbol for each in constants for symbol in each.symbols),
        ),
        steps=len(plan.runs),
        fed_rows=plan.fed_rows,
        finishing=max(1, len(plan.pauses)),
        states=states_of(places),
        sections=tuple((a.member, a.memory) for a in places.arenas if a.region.section),
        kernel_sets=frozenset(step.kernel.backend for step in places.steps),
        computes_reals=computes_reals(places),
    )


def _fragments(
    places: Places, common: Mapping[str, str], files: Collection[PurePosixPath]
) -> dict[PurePosixPath, str]:
    """What a Makefile includes, and a linker script where arenas have sections."""
    name, linker = places.name, linker_values(places.name, places.arenas)
    sources = " ".join(str(path) for path in files if path.suffix == ".c")
    made = {PurePosixPath(f"{name}.mk"): _fill("model.mk.in", {**common, "sources": sources})}
    if linker is not None:
        made[PurePosixPath(f"{name}.ld")] = _fill("model.ld.in", {**common, **linker})
    return made


def _constants(places: Places) -> Iterator[StepConstants]:
    """Those of each case that runs take."""
    for case, step in enumerate(places.steps):
        where = places.graph.node_name(step.node)
        yield step_constants(step, where, places.row_fields, is_form=places.is_form(case))


def _entries(places: Places, values: Mapping[str, str]) -> tuple[str, str]:
    """The functions that run the model, declared and defined."""
    if places.plan.fed_rows:
        entry = _part("feed_rows.h.in", values)
        parts = ["rows.c.in", "row_planes.c.in", "feed_rows.c.in"]
        parts.append("finish_in_parts.c.in" if places.plan.pauses else "finish.c.in")
        if not places.graph.inputs[0].planes:
            parts.remove("row_planes.c.in")
        return entry, "\n\n".join(_part(part, values) for part in parts)
    entry = _part("invoke.h.in", values)
    if places.graph.states:
        entry = _part("reset.h.in", values) + "\n\n" + entry
        return entry, _part("reset.c.in", values) + "\n\n" + _part("invoke.c.in", values)
    if not places.plan.is_straight:
        return entry, _part("rows.c.in", values) + "\n\n" + _part("invoke_rows.c.in", values)
    return entry, _part("invoke.c.in", values)


def _part(template: str, values: Mapping[str, str]) -> str:
    """A part of a file: a template without its first line, the licence."""
    return _fill(template, values).split("\n", 1)[1].rstrip("\n")


def _common(places: Places, stamp: Stamp) -> dict[str, str]:
    """What every file of a bundle says of it."""
    model = comment_text(stamp.model)
    return {
        "file": places.name,
        "name": places.name,
        "NAME": places.name.upper(),
        "version": __version__,
        "target": places.plan.program.target.name,
        "model": model,
        "gap": " " if len(model) < 19 else "\n * ",  # a digest takes 64 columns
        "sha256": stamp.sha256,
        "options": comment_text(stamp.options, 200),
        "abi": str(_ABI),
        "stack": comment_text(stamp.stack, 200),
        "flags": "\n * ".join(textwrap.wrap(comment_text(stamp.flags, 200), 82)),
    }


def _library(kernels: Collection[Kernel], headers: Collection[str]) -> dict[PurePosixPath, str]:
    """The kernels that are called, with their headers and those that they include, verbatim."""
    root = codegen_dir()
    files = {path: text for name in ("mplan.h", *headers) for path, text in _headers(name).items()}
    for kernel in sorted(kernels, key=lambda k: k.function):
        stem = kernel.function
        files |= _headers(f"{stem}.h")
        source = _text(root / "kernels" / kernel.backend / f"{stem}.c")
        for name in _INCLUDED.findall(source):
            files |= _headers(name)
        files[PurePosixPath(f"mplan/{stem}.c")] = source
    return files


def _headers(name: str) -> dict[PurePosixPath, str]:
    """A header of the library, and those that it includes."""
    text = _text(codegen_dir() / "include" / name)
    files = {PurePosixPath(f"mplan/{name}"): text}
    for included in _INCLUDED.findall(text):
        files |= _headers(included)
    return files


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii")


def _fill(template: str, values: Mapping[str, str]) -> str:
    text = Template(_text(codegen_dir() / "templates" / template))
    return text.substitute(values)
