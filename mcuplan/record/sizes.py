# SPDX-License-Identifier: Apache-2.0
"""Bytes of RAM and flash as the report has them: the sums, the peak, every buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mcuplan.units import Origin

__all__ = [
    "BufferKind",
    "BufferRow",
    "Flash",
    "Peak",
    "Ram",
    "RegionUse",
]

BufferKind = Literal["io", "activation", "scratch"]


@dataclass(frozen=True, slots=True)
class RegionUse:
    """One memory; ``left_bytes`` is negative where the plan does not fit.

    ``arena_bytes`` is the part of ``used_bytes`` that buffers take.
    """

    name: str
    kind: str
    bytes: int
    reserved_bytes: int
    used_bytes: int
    left_bytes: int
    arena_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ram:
    """``total = arena + io + static + stack``; ``scratch_bytes`` is the arena's part at the peak.

    ``stack_bytes`` contains ``stack_margin_bytes`` while it is modelled.
    """

    arena_bytes: int
    scratch_bytes: int
    io_bytes: int
    static_bytes: int
    stack_bytes: int
    stack_margin_bytes: int
    stack_origin: Origin
    total_bytes: int
    budget_bytes: int
    budget_from: Literal["target", "limit"]
    arena_input_resident_bytes: int | None = None
    arena_input_fed_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Flash:
    """``total = weights + tables + code``; ``code_bytes`` has the margin while modelled."""

    weights_bytes: int
    tables_bytes: int
    code_bytes: int
    code_margin_bytes: int
    code_origin: Origin
    total_bytes: int
    budget_bytes: int
    budget_from: Literal["target", "limit"]


@dataclass(frozen=True, slots=True)
class Peak:
    """What decides the RAM: step (-1: the input), and row and move of a plan by rows."""

    step: int
    layer: str
    activation_bytes: int
    live_bytes: int
    lower_bound_bytes: int
    optimal_order: bool
    optimal_arena: bool
    statement: str
    row: int | None = None
    move: int | None = None

    @property
    def moment(self) -> str:
        """The step, and the row where it goes by rows, in words."""
        what = f"step {self.step}" if self.step >= 0 or self.row is None else "input"
        return what if self.row is None else f"{what} row {self.row}"


@dataclass(frozen=True, slots=True)
class BufferRow:
    """Where a tensor, row or scratch lies, and when; ``alias_of`` names what it shares with."""

    name: str
    region: str
    offset: int
    bytes: int
    start: int
    end: int
    alias_of: str | None
    kind: BufferKind = "activation"
    row: int | None = None
