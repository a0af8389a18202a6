# SPDX-License-Identifier: Apache-2.0
"""The report as data: one frozen class per object of the schema `mcuplan.report/1`.

Field names and their order are the keys of the JSON report (a trailing ``_`` is dropped).
Sizes are bytes and exact where no ``..._origin`` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mcuplan.findings import Finding
from mcuplan.record.layers import (
    Energy,
    FrontierRow,
    Latency,
    LayerRow,
    LevelRow,
    Selection,
    Stream,
)
from mcuplan.record.model import ModelInfo, ModelName, TargetInfo, Totals
from mcuplan.record.proof import BuildInfo, Verification
from mcuplan.record.sizes import BufferRow, Flash, Peak, Ram, RegionUse

__all__ = ["SCHEMA", "Baseline", "Budget", "Growth", "Status", "Undecided", "Verdict"]

SCHEMA = "mcuplan.report/1"


class Status(StrEnum):
    """The answer. Never ``fits`` when anything was skipped: that is ``unproven``.

    ``unsupported``: the model needs what is not there; ``damaged``: it is no valid model.
    """

    FITS = "fits"
    OVER = "over"
    UNPROVEN = "unproven"
    UNSUPPORTED = "unsupported"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer and everything found."""

    status: Status
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Growth:
    """One layer or part against the baseline; ``because`` is the reason in the user's words."""

    name: str
    ram_delta: int
    flash_delta: int
    because: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """A report against an earlier one: the parts of both sums, and the layers, that changed.

    The deltas of ``parts`` add up to the totals; those of layers say where they come from.
    """

    file: str
    ram_delta: int
    flash_delta: int
    layers: tuple[Growth, ...]
    parts: tuple[Growth, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """The whole report. Renderers turn it into text and compute nothing."""

    schema: str
    tool_version: str
    command: str
    model: ModelInfo
    target: TargetInfo
    regions: tuple[RegionUse, ...]
    verdict: Verdict
    ram: Ram
    flash: Flash
    peak: Peak
    totals: Totals
    latency: Latency
    energy: Energy | None
    build: BuildInfo | None
    layers: tuple[LayerRow, ...]
    buffers: tuple[BufferRow, ...]
    streams: tuple[Stream, ...]
    baseline: Baseline | None = None
    verification: tuple[Verification, ...] = ()
    levels: tuple[LevelRow, ...] = ()
    selection: Selection | None = None
    frontier: tuple[FrontierRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Undecided:
    """The report of a model that could not be decided: only what stood in the way."""

    schema: str
    tool_version: str
    command: str
    model: ModelName
    verdict: Verdict
