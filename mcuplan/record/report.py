# SPDX-License-Identifier: Apache-2.0
"""The report as data: one frozen class per object of the schema `mcuplan.report/1`.

Field names and their order are the keys of the JSON report (a trailing ``_`` is dropped).
Sizes are bytes and exact where no ``..._origin`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from mcuplan.findings import Finding
from mcuplan.record.advice import Advice
from mcuplan.record.calibration import Calibration
from mcuplan.record.layers import (
    Energy,
    FrontierRow,
    Latency,
    LayerRow,
    LevelRow,
    Selection,
    Stream,
)
from mcuplan.record.limits import LEFT_OUT, Signed, limit
from mcuplan.record.model import ModelInfo, ModelName, TargetInfo, Totals
from mcuplan.record.proof import BuildInfo, Verification
from mcuplan.record.sizes import BufferRow, Flash, Naive, Peak, Ram, RegionUse

__all__ = [
    "SCHEMA",
    "Baseline",
    "Budget",
    "Change",
    "Growth",
    "Kept",
    "RegionGrowth",
    "Status",
    "Undecided",
    "Verdict",
]

SCHEMA: Final = "mcuplan.report/1"
_NO_ANSWER = {"status": {"enum": ["unproven", "unsupported", "damaged"]}}


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
    """The answer and everything found.

    Attributes:
        status: unproven: something was skipped; unsupported: the model needs what is not
            there; damaged: no valid model.
    """

    status: Status
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Growth:
    """One layer or part against the baseline.

    Attributes:
        name: a layer of the model; among the parts one of arena, I/O, static, stack, weights,
            tables, code, target.
        because: the reason in the user's words, empty where there is none to tell.
    """

    name: str
    ram_delta: Signed
    flash_delta: Signed
    because: str


@dataclass(frozen=True, slots=True)
class RegionGrowth:
    """One memory against the baseline."""

    name: str
    used_delta: Signed


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the model, the tool or what was asked, and what it explains.

    Attributes:
        layers: or inputs, that were changed; none: it is no change of the model.
        what: the change in the user's words, output channels 56 -> 64.
        follow: layers that differ because what they read does.
        ram_delta: all of it, where there is no other change; else null.
        flash_delta: all of it, where there is no other change; else that of the weights.
    """

    layers: tuple[str, ...]
    what: str
    follow: tuple[str, ...]
    ram_delta: Signed | None
    flash_delta: Signed


@dataclass(frozen=True, slots=True)
class Baseline:
    """The report against an earlier one: the parts of both sums, and the layers, that changed.

    Attributes:
        layers: where the deltas come from.
        parts: summands of RAM and flash that changed; their deltas add up to the totals.
        regions: bytes used of each memory, where both reports know them alike.
        changes: what made the difference, the weightiest first.
    """

    file: str
    ram_delta: Signed
    flash_delta: Signed
    layers: tuple[Growth, ...]
    parts: tuple[Growth, ...] = ()
    regions: Annotated[tuple[RegionGrowth, ...], LEFT_OUT] = ()
    changes: Annotated[tuple[Change, ...], LEFT_OUT] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What a report is of that a verification left beside the model.

    Attributes:
        of: tool version, and digests or texts of model, core, flags, plan and kernel sources.
        digest: of the whole report but itself.
    """

    of: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class Budget:
    """The whole report. Renderers turn it into text and compute nothing.

    Attributes:
        naive: the memory map without any planning, where that was asked for.
        asked: the options as they were given, files by the last part of their paths.
    """

    schema: Literal["mcuplan.report/1"]
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
    baseline: Annotated[Baseline | None, LEFT_OUT] = None
    verification: Annotated[tuple[Verification, ...], LEFT_OUT] = ()
    levels: Annotated[tuple[LevelRow, ...], LEFT_OUT] = ()
    selection: Annotated[Selection | None, LEFT_OUT] = None
    frontier: Annotated[tuple[FrontierRow, ...], LEFT_OUT] = ()
    calibration: Annotated[Calibration | None, LEFT_OUT] = None
    advice: Annotated[Advice | None, LEFT_OUT] = None
    kept: Annotated[Kept | None, LEFT_OUT] = None
    naive: Annotated[Naive | None, LEFT_OUT] = None
    asked: Annotated[tuple[str, ...], LEFT_OUT] = ()


@dataclass(frozen=True, slots=True)
class Undecided:
    """The report of a model that could not be decided: only what stood in the way."""

    schema: Literal["mcuplan.report/1"]
    tool_version: str
    command: str
    model: ModelName
    verdict: Annotated[Verdict, limit(properties=_NO_ANSWER)]
