# SPDX-License-Identifier: Apache-2.0
"""Structural coverage: which statements and branches of a bundle's C code runs reached.

A program built with ``--coverage`` at ``-O0`` counts every branch of the control flow; ``gcov``
turns the counts into lines. Counts of several programs are added where they hold the same source,
so that a kernel is reached by a model and by layers made for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

from mcuplan.errors import ToolFailed
from mcuplan.ir.types import Array
from mcuplan.prove.application import application_on_core, application_on_host
from mcuplan.prove.boundary import RUN_SAMPLES, Feeds, blocks
from mcuplan.prove.cores import Core
from mcuplan.prove.emulator import run_on_core
from mcuplan.prove.harness import CoreImage, Image, build_for_core, build_for_host
from mcuplan.prove.host import run_on_host
from mcuplan.prove.proofs import outputs_equal
from mcuplan.prove.subject import Subject
from mcuplan.prove.toolchain import cross_compiler, find_tool, host_compiler, run_tool
from mcuplan.tempfiles import temporary_folder

__all__ = ["Covered", "Line", "Lines", "cover_on_core", "cover_on_host", "merged"]

_BUNDLE = "bundle"
_OPTIMIZE = "-O0"  # what is written is what is counted
_WORD = 4


@dataclass(frozen=True, slots=True)
class Line:
    """How often a line of a function ran, and each branch that leaves it."""

    count: int
    branches: tuple[int, ...] = ()

    def __add__(self, other: Line) -> Line:
        pairs = zip_longest(self.branches, other.branches, fillvalue=0)
        return Line(self.count + other.count, tuple(a + b for a, b in pairs))


Lines = Mapping[tuple[str, int, str], Line]
"""By file of the bundle, number from 1, and function: a header's are compiled more than once."""


@dataclass(frozen=True, slots=True)
class Covered:
    """Lines that runs reached; ``equal``: their outputs were those of the reference."""

    lines: Lines
    equal: bool

    def __add__(self, other: Covered) -> Covered:
        return Covered(merged(self.lines, other.lines), self.equal and other.equal)


def merged(first: Lines, second: Lines) -> Lines:
    """Counts of two runs or programs, added."""
    total = dict(first)
    for place, line in second.items():
        total[place] = total[place] + line if place in total else line
    return total


def cover_on_host(
    subject: Subject, feeds: Mapping[str, Array] | Feeds, *, used: bool = False
) -> Covered:
    """Run all samples on this computer.

    Args:
        subject: with kernels that this computer runs.
        feeds: integers of each input by tensor name, [samples, ...].
        used: also make the calls, right and wrong, of an application.

    Raises:
        ToolMissing, ToolFailed: ``gcc`` or ``gcov`` missing, or failed.
    """
    compiler, gcov = host_compiler("gcc"), find_tool("gcov")
    with temporary_folder() as work:
        image = build_for_host(
            subject.bundle.files,
            subject.api(),
            work,
            compiler,
            sanitize=False,
            optimize=_OPTIMIZE,
            counted=True,
        )
        equal = True
        for _, batch in blocks(feeds, RUN_SAMPLES):
            run = run_on_host(image, subject.arrays(batch))
            equal = _equal(subject, batch, run.outputs) and equal
        if used:
            equal = not any(application_on_host(subject, image)) and equal
        return Covered(_read(image, gcov), equal)


def cover_on_core(
    subject: Subject, feeds: Mapping[str, Array] | Feeds, core: Core, *, used: bool = False
) -> Covered:
    """The same on an emulated core, with the kernels that it runs.

    Raises:
        ToolMissing, ToolFailed: compiler, ``arm-none-eabi-gcov`` or emulator missing, or failed.
    """
    compiler, gcov = cross_compiler(), find_tool("arm-none-eabi-gcov")
    with temporary_folder() as work:
        image = build_for_core(
            subject.bundle.files,
            subject.api(),
            work,
            core,
            compiler,
            optimize=_OPTIMIZE,
            counted=True,
        )
        total, equal = Covered({}, equal=True), True
        for _, batch in blocks(feeds, RUN_SAMPLES):
            run = run_on_core(image, subject.arrays(batch))
            equal = _equal(subject, batch, run.outputs)
            total += Covered(_dumped(image, gcov), equal)
        if used:
            equal = not any(application_on_core(subject, image))
            total += Covered(_dumped(image, gcov), equal)
        return total


def _equal(subject: Subject, feeds: Mapping[str, Array], outputs: tuple[Array, ...]) -> bool:
    """Whether outputs equal the reference; made up layers with a state are run and not compared.

    Theirs lies on a grid for each of its parts, with which no graph of a model begins.
    """
    made_up = subject.removal is None and bool(subject.graph.states)
    return made_up or outputs_equal(subject, feeds, outputs)


def _dumped(image: CoreImage, gcov: str) -> Lines:
    """What a run on a core left.

    Raises:
        ToolFailed: its file is not whole.
    """
    path = image.work / "coverage.bin"
    data, at = path.read_bytes() if path.is_file() else b"", 0
    place: Path | None = None
    text = bytearray()
    while at + _WORD <= len(data):
        length = int.from_bytes(data[at : at + _WORD], "little")
        chunk = data[at + _WORD : at + _WORD + length]
        at += _WORD + length
        if not length and place is not None:
            place.write_bytes(text)
            place, text = None, bytearray()
        elif place is None:
            place = _counts_file(image, chunk.decode("utf-8", "replace"))
        else:
            text += chunk
    path.unlink(missing_ok=True)
    if not data or at != len(data) or place is not None:
        raise ToolFailed("the image did not write its counts", str(image.program))
    return _read(image, gcov)


def _counts_file(image: Image, name: str) -> Path:
    """Where an object's counts go: beside it, whatever the path that the image knows."""
    for made in image.bundle_objects:
        if name.endswith(str(made.with_suffix(".gcda"))):
            return image.work / made.with_suffix(".gcda")
    raise ToolFailed(f"counts of {PurePosixPath(name).name}, which is no object of the image")


def _read(image: Image, gcov: str) -> Lines:
    """What the runs of an image left beside its objects.

    Raises:
        ToolFailed: ``gcov`` failed, or says what no version of it says.
    """
    total: Lines = {}
    for made in sorted(image.bundle_objects):
        command = [gcov, "--json-format", "--branch-probabilities", "--stdout"]
        done = run_tool([*command, str(made.with_suffix(".gcda"))], image.work)
        try:
            total = merged(total, dict(_lines(json.loads(done.stdout))))
        except (ValueError, KeyError, TypeError) as error:
            hint = "gcov must be of the version of gcc, 9 or newer"
            raise ToolFailed("gcov gives no counts", gcov, hint) from error
    return total


def _lines(said: Any) -> Iterator[tuple[tuple[str, int, str], Line]]:
    """Lines of files of the bundle, without those of the compiler's own headers."""
    for file in said["files"]:
        path = PurePosixPath(file["file"])
        if path.parts[0] != _BUNDLE:
            continue
        name = str(path.relative_to(_BUNDLE))
        for line in file["lines"]:
            branches = tuple(int(branch["count"]) for branch in line["branches"])
            place = name, int(line["line_number"]), str(line.get("function_name", ""))
            yield place, Line(int(line["count"]), branches)
