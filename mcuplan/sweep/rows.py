# SPDX-License-Identifier: Apache-2.0
"""A row of a sweep: what the report of one model on one target says, flat and typed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Literal, get_args, get_type_hints

from mcuplan import __version__
from mcuplan.errors import McuplanError
from mcuplan.record import Budget, Status

__all__ = ["Cell", "Row", "Verdict", "column_types", "row_of_errors", "row_of_report"]

Verdict = Literal["fits", "does-not-fit", "unproven", "error"]
Cell = str | int | float | bool | None
_VERDICTS: Mapping[Status, Verdict] = MappingProxyType(
    {Status.FITS: "fits", Status.OVER: "does-not-fit"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one target with one set of options; null is not known, or not there.

    Attributes:
        model: path as it was given, or as the pattern found it.
        name: of the model's file.
        sha256: of the model's file.
        target: name of chip or board.
        options: that were given or configured, as NAME=VALUE: those of `mcuplan check`.
        objective: as asked for.
        streaming: as asked for.
        dtype: of activations, as asked for.
        backend: as asked for.
        effort: as asked for.
        reshape: changes of the model's form.
        width: factor of its channels.
        input: rows and columns of its image, where they are others.
        tool_version: of mcuplan.
        verdict: error: there is no report, and `error_code` says why.
        error_code: see `mcuplan explain`; the first of several.
        error_message: all of them.
        error_where: the place in the model, target or options.
        error_hint: what to do.
        findings: codes of what was found, those of errors first.
        ram_bytes: arena, I/O, static data and stack.
        ram_budget_bytes: of the target, or the limit that was given.
        arena_bytes: part of RAM.
        io_bytes: part of RAM.
        static_bytes: part of RAM.
        stack_bytes: part of RAM.
        flash_bytes: weights, tables and code.
        flash_budget_bytes: of the target, or the limit that was given.
        weights_bytes: part of flash.
        tables_bytes: part of flash.
        code_bytes: part of flash.
        regions: bytes used of each memory, as NAME=BYTES.
        peak_bytes: live at the step that decides the arena, with states, which are part of static.
        peak_layer: that step.
        peak_lower_bound_bytes: which no plan of these kernels is below, with states.
        cycles: of one inference.
        latency_s: of one inference.
        latency_error: share by which modelled cycles may be off.
        latency_origin: where cycles are from.
        row_latency_s: of the slowest call that feeds a row of the input.
        energy_j: of one inference.
        energy_whole_chip: whether of all the chip draws, or of its operations alone.
        macs: multiply-accumulates.
        parameters: of the model.
        nodes: of the model's file.
        layers: steps of the plan.
        weights: placeholders: those of a form that is still to be trained; bytes and cycles hold.
        quantization: element type of the model, and in which form.
        plan: rows: some layers run row by row; fed: the input's rows come one by one.
        loss_percent: of the outputs against the float model, where some is allowed.
        loss_measure: of what.
    """

    model: str
    name: str
    sha256: str
    target: str
    options: str
    objective: str
    streaming: str
    dtype: str
    backend: str
    effort: str
    reshape: str
    width: float
    input: str
    tool_version: str
    verdict: Verdict
    error_code: str | None = None
    error_message: str | None = None
    error_where: str | None = None
    error_hint: str | None = None
    findings: str = ""
    ram_bytes: int | None = None
    ram_budget_bytes: int | None = None
    arena_bytes: int | None = None
    io_bytes: int | None = None
    static_bytes: int | None = None
    stack_bytes: int | None = None
    flash_bytes: int | None = None
    flash_budget_bytes: int | None = None
    weights_bytes: int | None = None
    tables_bytes: int | None = None
    code_bytes: int | None = None
    regions: str | None = None
    peak_bytes: int | None = None
    peak_layer: str | None = None
    peak_lower_bound_bytes: int | None = None
    cycles: int | None = None
    latency_s: float | None = None
    latency_error: float | None = None
    latency_origin: str | None = None
    row_latency_s: float | None = None
    energy_j: float | None = None
    energy_whole_chip: bool | None = None
    macs: int | None = None
    parameters: int | None = None
    nodes: int | None = None
    layers: int | None = None
    weights: Literal["own", "placeholders"] | None = None
    quantization: str | None = None
    plan: Literal["whole", "rows", "fed"] | None = None
    loss_percent: float | None = None
    loss_measure: str | None = None

    def cells(self) -> list[Cell]:
        """Values in the order of the columns."""
        return [getattr(self, name) for name in column_types()]


@cache
def column_types() -> Mapping[str, type]:
    """The type of each column, in order: str, int, float or bool; any but str may be null."""
    hints = get_type_hints(Row)
    return MappingProxyType({f.name: _simple(hints[f.name]) for f in fields(Row)})


def _simple(hint: Any) -> type:
    if isinstance(hint, type):
        return hint
    return next(_simple(part) if not isinstance(part, str) else str for part in get_args(hint))


_PLACEHOLDER = "model/placeholder-weights"
_Asked = Mapping[str, Any]
"""The columns from ``model`` to ``input``."""

_TAKEN: Mapping[str, str] = MappingProxyType(
    {
        "tool_version": "tool_version",
        "ram_bytes": "ram.total_bytes",
        "ram_budget_bytes": "ram.budget_bytes",
        "arena_bytes": "ram.arena_bytes",
        "io_bytes": "ram.io_bytes",
        "static_bytes": "ram.static_bytes",
        "stack_bytes": "ram.stack_bytes",
        "flash_bytes": "flash.total_bytes",
        "flash_budget_bytes": "flash.budget_bytes",
        "weights_bytes": "flash.weights_bytes",
        "tables_bytes": "flash.tables_bytes",
        "code_bytes": "flash.code_bytes",
        "peak_bytes": "peak.live_bytes",
        "peak_layer": "peak.layer",
        "peak_lower_bound_bytes": "peak.lower_bound_bytes",
        "cycles": "latency.cycles",
        "latency_s": "latency.seconds",
        "latency_error": "latency.error",
        "latency_origin": "latency.origin",
        "macs": "model.macs",
        "parameters": "model.parameters",
        "nodes": "model.nodes",
        "layers": "model.steps",
        "quantization": "model.dtype",
    }
)
"""Columns that a field of the report is."""


def row_of_report(asked: _Asked, report: Budget) -> Row:
    """What a report says."""
    feed, energy = report.latency.feed, report.energy
    loss = report.calibration.loss if report.calibration else None
    codes = dict.fromkeys(found.code for found in _gravest_first(report))
    taken = {name: _plain(attrgetter(place)(report)) for name, place in _TAKEN.items()}
    return Row(
        **asked,
        **taken,
        verdict=_VERDICTS.get(report.verdict.status, "unproven"),
        findings=" ".join(codes),
        regions=" ".join(f"{region.name}={region.used_bytes}" for region in report.regions),
        row_latency_s=_plain(feed.slowest_seconds) if feed else None,
        energy_j=_plain(energy.joules) if energy else None,
        energy_whole_chip=energy.whole_chip if energy else None,
        weights="placeholders" if _PLACEHOLDER in codes else "own",
        plan="fed" if feed else "rows" if report.streams else "whole",
        loss_percent=_plain(loss.after) if loss else None,
        loss_measure=loss.measure if loss else None,
    )


def _gravest_first(report: Budget) -> list[Any]:
    return sorted(report.verdict.findings, key=lambda found: found.severity.value != "error")


def _plain(value: Any) -> Any:
    """Text, a number or null; what is not finite is not known."""
    if isinstance(value, StrEnum):
        return value.value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def row_of_errors(asked: _Asked, errors: Sequence[McuplanError]) -> Row:
    """Why there is no report."""
    first = errors[0]
    return Row(
        **asked,
        tool_version=__version__,
        verdict="error",
        error_code=first.code,
        error_message="; ".join(error.message for error in errors),
        error_where=first.where,
        error_hint=first.hint,
        findings=" ".join(dict.fromkeys(error.code for error in errors)),
    )
