# SPDX-License-Identifier: Apache-2.0
"""Buffers that may share bytes while a step runs, depending on the direction of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Gap", "Overlaps", "Pair"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Least distances of two buffers: the source above the output, or below it."""

    above: int
    below: int


@dataclass(frozen=True, slots=True)
class Pair:
    """An output and a source that dies where it is made; buffers by number.

    ``rising``: what is safe when rows are computed from the first to the last;
    ``falling``: from the last to the first.
    """

    output: int
    source: int
    rising: Gap
    falling: Gap

    def rises(self, offsets: Sequence[int]) -> bool:
        """Whether these offsets are safe when rows are computed from the first."""
        distance = offsets[self.source] - offsets[self.output]
        return distance >= self.rising.above or -distance >= self.rising.below


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Separations for the placement problem; the pairs behind them, by step."""

    separations: Mapping[tuple[int, int], int] = field(default_factory=dict)
    pairs: Mapping[int, tuple[Pair, ...]] = field(default_factory=dict)

    def descending(self, offsets: Sequence[int]) -> frozenset[int]:
        """Steps that must compute their rows from the last to the first."""
        return frozenset(
            step
            for step, pairs in self.pairs.items()
            if not all(pair.rises(offsets) for pair in pairs)
        )
