# SPDX-License-Identifier: Apache-2.0
"""What a verification leaves beside the model, and whether a later report may take it.

The kept report is bound to what was measured: the tool, model, target, plan, the sources that
bundles are made of, the compiler and its flags, and the outcome; and to itself, so that a changed
figure shows. Anything else is not used, and a note says why. That catches accidents and files
that are out of date. It is no signature: who edits the file on purpose can write the digest, too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from mcuplan import __version__
from mcuplan.budget import read_report
from mcuplan.budget.assess import layer_rows
from mcuplan.errors import McuplanError
from mcuplan.findings import Finding, Severity
from mcuplan.memory_system import Stalls
from mcuplan.prove.harness import OPTIMIZE
from mcuplan.prove.toolchain import cross_version
from mcuplan.record import Budget, BuildFigures, Evidence, Kept, Planned
from mcuplan.report import render
from mcuplan.resources import codegen_dir

__all__ = ["keep_report", "kept_report", "kept_reports", "recall"]

_SOURCES = ("include", "kernels", "templates")
_LEAST_CODE = 16  # bytes of a function that does something
_LEAST_STACK = 8  # bytes of a call with steps: a return address, kept aligned
_FOLDED = 64  # bytes of constants that a compiler may work into the code
_SUFFIX = ".verify.json"
_Facts = Mapping[str, Any]


def kept_report(model: Path, target: str) -> Path:
    """Where a verification leaves its report: beside the model."""
    return model.with_name(f"{_stem(model)}.{target}{_SUFFIX}")


def kept_reports(model: Path) -> tuple[Path, ...]:
    """Those that are there, of whatever target."""
    stem = f"{_stem(model)}."
    names = sorted(os.listdir(model.parent))
    return tuple(model.with_name(n) for n in names if n.startswith(stem) and n.endswith(_SUFFIX))


def _stem(model: Path) -> str:
    return model.name.removesuffix(".onnx")


def keep_report(budget: Budget, planned: Planned) -> bytes:
    """What a verification leaves there: its report, what it is of, and a digest of both."""
    kept = Kept(_facts(planned), "")
    bare = json.loads(render("json", replace(budget, kept=kept)))
    kept = replace(kept, digest=_digest_of(bare))
    report = json.loads(render("json", replace(budget, kept=kept)))
    return (json.dumps(report, indent=1, ensure_ascii=True) + "\n").encode("ascii")


def recall(model: Path, planned: Planned) -> Evidence | None:
    """What an earlier verification measured, or a note why it is not used; None without one."""
    path = kept_report(model, planned.plan.program.target.name)
    if not path.exists():
        return None
    try:
        report = read_report(path)
        why = next(_objections(report, planned), "")
        if not why:
            return _recalled(report)
    except McuplanError as error:
        why = error.message
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError):
        why = "it is damaged"
    note = Finding(
        "verify/kept-unused",
        Severity.NOTE,
        f"{path.name} is not used: {why}",
        hint="mcuplan verify writes it anew; or delete it",
    )
    return Evidence(findings=(note,))


def _objections(report: Mapping[str, Any], planned: Planned) -> Iterator[str]:
    """Why a kept report is not believed, the most telling reason first."""
    if report["build"] is None or "kept" not in report:
        yield "it does not say what it was measured on"
    kept, facts = report["kept"], _facts(planned)
    for name, value in facts.items():
        if kept["of"].get(name) != value:
            yield f"it is of {'other' if name.endswith('s') else 'another'} {name}"
    if kept["digest"] != _digest_of(report):
        yield "it was changed after it was written"
    if not report["verification"] or not all(map(_held, report["verification"])):
        yield "what it is of did not verify"
    if (installed := cross_version()) not in ("", report["build"]["compiler"]):
        yield f"it is of another compiler than {installed}"
    yield from _implausible(report, planned)


def _facts(planned: Planned) -> _Facts:
    """All that determines what is measured and that needs no ranges, by what a user calls it."""
    plan, target = planned.plan, planned.plan.program.target
    rows = layer_rows(plan, Evidence())
    layers = [[row.kernel, list(row.output_shape), row.weights_bytes] for row in rows]
    places = [[b.name, *plan.places[b.name]] for b in plan.allocation.buffers]
    order = [[run.step, run.first, run.end] for run in plan.runs]
    order += [list(plan.pauses)] if plan.pauses else []
    return {
        "mcuplan": __version__,
        "model": planned.model.sha256,
        "core": [target.core, *target.features],
        "flags": " ".join((OPTIMIZE, *target.flags)),
        "plan": _digest([layers, places, order]),
        "kernels": _sources(),
    }


@cache
def _sources() -> str:
    """A digest of everything that bundles are made of besides the model."""
    found = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((codegen_dir() / folder).rglob("*")):
            if path.is_file():
                found.update(path.relative_to(codegen_dir()).as_posix().encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:32]


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def _digest_of(report: Mapping[str, Any]) -> str:
    """Of a kept report, whatever its own digest says."""
    kept = {key: value for key, value in report["kept"].items() if key != "digest"}
    return _digest({**report, "kept": kept})


def _held(run: Mapping[str, Any]) -> bool:
    """Whether a run computed what it must, and its image was as planned."""
    elf = run["elf"]
    return bool(run["equal_to_reference"]) and (elf is None or bool(elf["agrees"]))


def _implausible(report: Mapping[str, Any], planned: Planned) -> Iterator[str]:
    """Figures that cannot be true, whatever the digest says."""
    rows = layer_rows(planned.plan, Evidence())
    kernels = len({row.kernel for row in rows})
    weights = sum(row.weights_bytes for row in rows)
    build = _build(report)
    if build.code_bytes < _LEAST_CODE * (kernels + 1):
        yield f"{build.code_bytes} B of code cannot be true"
    if rows and build.stack_bytes < _LEAST_STACK:
        yield f"{build.stack_bytes} B of stack cannot be true"
    if build.constants_bytes < weights - _FOLDED:
        yield f"{build.constants_bytes:,} B of constants cannot hold {weights:,} B of weights"
    for row in report["layers"]:
        counted, cycles = row["instructions"], row["cycles"]
        if row["cycles_origin"] == "measured" and _amount(cycles) < _amount(counted):
            yield f"{cycles} cycles cannot be {counted} instructions"


def _recalled(report: Mapping[str, Any]) -> Evidence:
    rows = report["layers"]
    cycles = {
        _amount(row["index"]): _amount(row["cycles"])
        for row in rows
        if row["cycles_origin"] == "measured"
    }
    counted = [row for row in rows if row["instructions"] is not None]
    instructions = {_amount(row["index"]): _amount(row["instructions"]) for row in counted}
    waited = [row for row in rows if "stall_cycles" in row and _amount(row["index"]) in cycles]
    stalls = {_amount(row["index"]): _stalls(row["stall_cycles"]) for row in waited}
    runs = report["verification"]
    calls = tuple(_amount(each) for run in runs for each in run.get("calls", ()))
    return Evidence(_build(report), (), cycles, stalls, instructions, calls=calls)


def _stalls(found: Mapping[str, Any]) -> Stalls:
    """What a step was counted to wait on its board."""
    return Stalls(_amount(found["code"]), _amount(found["constants"]), int(found["rules"]))


def _build(report: Mapping[str, Any]) -> BuildFigures:
    flash, ram = report["flash"], report["ram"]
    return BuildFigures(
        code_bytes=_amount(flash["code_bytes"]),
        library_bytes=0,
        constants_bytes=_amount(flash["weights_bytes"]) + _amount(flash["tables_bytes"]),
        data_bytes=0,
        stack_bytes=_amount(ram["stack_bytes"]),
        compiler=str(report["build"]["compiler"]),
        flags=str(report["build"]["flags"]),
    )


def _amount(value: object) -> int:
    """A count of a kept report.

    Raises:
        ValueError: not a whole number from 0 to 2**40.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1 << 40:
        raise ValueError(f"{value!r} counts nothing")
    return value
