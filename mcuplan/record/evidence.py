# SPDX-License-Identifier: Apache-2.0
"""What a budget is made of beside the plan: limits, an earlier report, builds and runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcuplan.findings import Finding
from mcuplan.memory_system import Stalls
from mcuplan.record.layers import LayerNoise
from mcuplan.record.proof import Verification
from mcuplan.record.sizes import LinkedSymbol

__all__ = ["Against", "BuildFigures", "Evidence", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Budgets of the user, on top of what the target has; None = no limit of one's own.

    ``max_row_latency_s`` is for each call that feeds a row of the input or finishes after it.
    ``warn_at`` is the percent of any of them from which on it is a warning, ``growth`` the bytes by
    which RAM or flash may grow (None: as they like), ``strict``: warnings fail.
    """

    max_ram: int | None = None
    max_flash: int | None = None
    max_latency_s: float | None = None
    max_row_latency_s: float | None = None
    warn_at: float | None = None
    growth: int | None = 0
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Against:
    """An earlier report and the name of its file."""

    file: str
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BuildFigures:
    """What a build measured; takes the place of the model.

    ``code_bytes`` is without, ``library_bytes`` the compiler's helpers that it pulls in.
    """

    code_bytes: int
    library_bytes: int
    constants_bytes: int
    data_bytes: int
    stack_bytes: int
    compiler: str
    flags: str
    symbols: tuple[LinkedSymbol, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What builds and runs of the generated code showed; nothing before that.

    ``cycles``, ``stalls``, ``instructions``, ``errors``, ``noise`` and ``max_lsb`` are by step:
    counted on the emulator, and the relative error and what makes it against the float model, or
    the largest difference from the runtime of a quantized one. Stalls are those of a board.
    ``calls`` are cycles of each call of a sample, with what they wait for the flash, where rows of
    the input are fed.
    """

    build: BuildFigures | None = None
    verifications: tuple[Verification, ...] = ()
    cycles: Mapping[int, int] = field(default_factory=dict)
    stalls: Mapping[int, Stalls] = field(default_factory=dict)
    instructions: Mapping[int, int] = field(default_factory=dict)
    errors: Mapping[int, float] = field(default_factory=dict)
    noise: Mapping[int, LayerNoise] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    calls: tuple[int, ...] = ()
    max_lsb: Mapping[int, int] = field(default_factory=dict)
