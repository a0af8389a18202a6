# SPDX-License-Identifier: Apache-2.0
"""Structural coverage of a model's code: test data, edge inputs, layers made for its kernels."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from mcuplan.calibrate import Data
from mcuplan.evidence.called import called
from mcuplan.evidence.edges import callers_of, edge_inputs, edge_layers
from mcuplan.evidence.texts import table
from mcuplan.ir.op import Kernel
from mcuplan.ir.types import Array
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.cores import Core
from mcuplan.prove.coverage import Covered, Line, Lines, cover_on_core, cover_on_host
from mcuplan.prove.subject import Subject
from mcuplan.resources import codegen_dir
from mcuplan.targets import Target

__all__ = ["Place", "coverage_record", "coverage_text", "covered_on"]

_LIBRARY = "mplan/"  # folder of kernels and their headers
_HOST_SAMPLES, _CORE_SAMPLES = 16, 2  # of the test data; edge inputs come beside them

_Cover = Callable[[Subject, Mapping[str, Array], bool], Covered]


@dataclass(frozen=True, slots=True)
class Place:
    """Code that was run at one place.

    Attributes:
        on: "host" or "emulator".
        kernels: whose they are, in words.
        samples: of the model.
        layers: made for its kernels.
        equal: whether every output had the bytes of the reference.
        lines: of the files of the bundle.
        files: the bundle.
    """

    on: str
    kernels: str
    samples: int
    layers: int
    equal: bool
    lines: Lines
    files: Mapping[PurePosixPath, str]


def covered_on(
    portable: Subject, subject: Subject, data: Data, core: Core, say: Callable[[str], None]
) -> tuple[Place, ...]:
    """The portable kernels on this computer, and those of the target on an emulated core.

    Raises:
        ToolMissing, ToolFailed: a compiler, ``gcov`` or the emulator is missing, or failed.
    """

    def on_host(one: Subject, feeds: Mapping[str, Array], used: bool) -> Covered:
        return cover_on_host(one, feeds, used=used)

    def on_core(one: Subject, feeds: Mapping[str, Array], used: bool) -> Covered:
        return cover_on_core(one, feeds, core, used=used)

    same = _functions(portable) == _functions(subject)
    host = "those of the target" if same else "the portable ones, which equal the target's in bytes"
    say("counting statements and branches on this computer")
    first = _covered(portable, data.first(_HOST_SAMPLES), on_host, ("host", host))
    say("counting statements and branches on the emulator")
    few = data.first(_CORE_SAMPLES)
    return first, _covered(subject, few, on_core, ("emulator", f"those of the {core.name}"))


def _functions(subject: Subject) -> set[str]:
    return {step.kernel.function for step in subject.plan.program.steps}


def _covered(subject: Subject, data: Data, cover: _Cover, place: tuple[str, str]) -> Place:
    """The model, layers for its kernels, and layers whose kernels share its headers' functions."""
    feeds = edge_inputs(subject.graph, boundary_inputs(subject.graph, data))
    program, files = subject.plan.program, subject.bundle.files
    kernels = tuple(dict.fromkeys(step.kernel for step in program.steps))
    first = cover(subject, feeds, True)
    total, layers = _with_layers(first, kernels, program.target, cover)
    lines = called(total.lines, files)
    others = callers_of(_missed(lines), program.target)
    total, more = _with_layers(Covered(lines, total.equal), others, program.target, cover)
    samples = len(next(iter(feeds.values())))
    return Place(*place, samples, layers + more, total.equal, total.lines, files)


def _with_layers(
    found: Covered, kernels: Sequence[Kernel], target: Target, cover: _Cover
) -> tuple[Covered, int]:
    """What is known of some lines, and layers made for kernels; how many layers.

    What those have beside these lines, their own source, is not counted.
    """
    layers = 0
    for edge, inputs in edge_layers(kernels, target):
        ran = cover(edge, inputs, False)
        shared = {at: n for at, n in ran.lines.items() if at[0].startswith(_LIBRARY)}
        found += Covered({at: n for at, n in shared.items() if at in found.lines}, ran.equal)
        layers += len(edge.plan.program.steps)
    return found, layers


def _missed(lines: Lines) -> set[str]:
    """Functions of real values in headers with a branch that was not taken."""
    return {
        function
        for (file, _, function), line in lines.items()
        if file.endswith("_f32.h") and not (line.count and all(line.branches))
    }


def coverage_record(places: Sequence[Place]) -> Any:
    """All of it as JSON: totals, files, and every line and branch that nothing reached."""
    return {
        "schema": "mcuplan.coverage/1",
        "optimization": "-O0",
        "places": [_place_record(place) for place in places],
    }


def _place_record(place: Place) -> Any:
    kernels, unreached = _of(place.lines, kernels=True), list(_unreached(place))
    return {
        "on": place.on,
        "kernels": place.kernels,
        "model_samples": place.samples,
        "edge_layers": place.layers,
        "outputs_equal_reference": place.equal,
        "called_kernels": _counted(kernels),
        "reachable": _reachable(_counted(kernels), unreached),
        "generated": _counted(_of(place.lines, kernels=False)),
        "files": [
            {"file": file, **_counted(_of_file(place.lines, file))}
            for file in sorted({at[0] for at in place.lines})
        ],
        "unreached": unreached,
    }


def _reachable(counts: Any, unreached: Sequence[Any]) -> Any:
    """The same of a model's kernels without what no call of its code reaches, as is shown."""
    shut = [u for u in unreached if not u["reachable"] and u["file"].startswith(_LIBRARY)]
    out = {
        "statements": sum(not u["ran"] for u in shut),
        "branches": sum(len(u["branches_not_taken"]) for u in shut),
    }
    return {
        name: [reached, whole - out[name], _percent(reached, whole - out[name])]
        for name, (reached, whole, _) in counts.items()
    }


def _of(lines: Lines, *, kernels: bool) -> list[Line]:
    return [line for at, line in lines.items() if at[0].startswith(_LIBRARY) is kernels]


def _of_file(lines: Lines, file: str) -> list[Line]:
    return [line for at, line in lines.items() if at[0] == file]


def _counted(lines: Sequence[Line]) -> Any:
    """Statements and branches: how many were reached, of how many, and percent rounded down."""
    reached = sum(line.count > 0 for line in lines)
    branches = [count for line in lines for count in line.branches]
    taken = sum(count > 0 for count in branches)
    return {
        "statements": [reached, len(lines), _percent(reached, len(lines))],
        "branches": [taken, len(branches), _percent(taken, len(branches))],
    }


def _percent(part: int, whole: int) -> float:
    return 100.0 if not whole else (1000 * part // whole) / 10


def _unreached(place: Place) -> Iterator[Any]:
    """Lines that did not run, and branches that were never taken, with a reason where known."""
    known = tomllib.loads((codegen_dir() / "unreached.toml").read_text(encoding="utf-8"))["line"]
    for (file, number, function), line in sorted(place.lines.items()):
        if line.count and all(line.branches):
            continue
        text = place.files[PurePosixPath(file)].splitlines()[number - 1].strip()
        told = (e["reason"] for e in known if fnmatchcase(file, e["file"]) and e["text"] in text)
        why = next(told, "")
        yield {
            "file": file,
            "line": number,
            "function": function,
            "text": text,
            "ran": line.count,
            "branches_not_taken": [i for i, count in enumerate(line.branches) if not count],
            "of_branches": len(line.branches),
            "reachable": not why,
            "reason": why or "no test input or layer here asks for it",
        }


def coverage_text(record: Any) -> str:
    """The same for people."""
    parts = [
        "# Structural coverage\n",
        "Compiled at -O0 with `--coverage`; read with gcov. Statements are lines with code, "
        "branches the ways out of every condition, those of `&&` and `||` apart. Functions of "
        "assembly alone are not counted: their tests compare bytes; nor are functions of a header "
        "that nothing here calls, which a linker leaves out.\n",
    ]
    for place in record["places"]:
        rows = [
            ("called kernels", *_shown(place["called_kernels"])),
            ("of them what can be reached", *_shown(place["reachable"])),
            ("generated source", *_shown(place["generated"])),
            *((one["file"], *_shown(one)) for one in place["files"]),
        ]
        equal = "equal" if place["outputs_equal_reference"] else "DO NOT equal"
        parts += [
            f"## On the {place['on']}: {place['kernels']}\n",
            f"{place['model_samples']} samples of the model and {place['edge_layers']} layers made "
            f"for its kernels; outputs {equal} the reference in every byte.\n",
            table(("", "statements", "branches"), rows),
            "Not reached:\n",
            table(
                ("place", "line", "what", "reason"),
                [
                    (f"{u['file']}:{u['line']}", u["text"], _what(u), u["reason"])
                    for u in place["unreached"]
                ],
            ),
        ]
    return "\n".join(parts)


def _shown(counts: Any) -> Iterator[str]:
    for name in ("statements", "branches"):
        reached, whole, percent = counts[name]
        yield f"{reached} of {whole} ({percent} %)"


def _what(unreached: Any) -> str:
    if not unreached["ran"]:
        return "does not run"
    return f"{len(unreached['branches_not_taken'])} of {unreached['of_branches']} branches"
