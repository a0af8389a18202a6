# SPDX-License-Identifier: Apache-2.0
"""How long the solvers look, by the names that users choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["EFFORTS", "Effort"]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look, counted in work and not in time, so that runs repeat.

    Attributes:
        states: sets of steps that the search may visit, all segments together; in
            segments of more than 64 steps a set counts as several.
        width: sets of each size that the heuristic keeps, fewer in segments of many steps.
        cuts: minimum cuts to compute for the bound of a segment, times its steps.
        row_states: of rows made, that the search for an order of rows may visit.
        rounds: of placing rows by the squeaky wheel.
        ejections: tries of placing rows by ejection, after that.
        nodes: of the search for addresses of rows, after that.
        work: nodes times buffers that meet, of that search: a node takes as long as there are.
        slack: share of the live bytes by which both may miss them.
        trials: of plans by rows that give the slowest steps more scratch.
    """

    states: int = 60_000
    width: int = 24
    cuts: int = 40_000
    row_states: int = 4_000
    rounds: int = 2_400
    ejections: int = 4
    nodes: int = 4_000
    work: int = 100_000_000
    slack: float = 0.02
    trials: int = 4


EFFORTS: Mapping[str, Effort] = MappingProxyType(
    {
        "fast": Effort(
            states=2_000,
            width=8,
            cuts=4_000,
            row_states=2_000,
            rounds=900,
            ejections=0,
            nodes=2_000,
            work=50_000_000,
            slack=0.05,
            trials=0,
        ),
        "normal": Effort(),
        "thorough": Effort(
            states=1_000_000,
            width=96,
            cuts=400_000,
            row_states=100_000,
            rounds=4_000,
            ejections=100,
            nodes=200_000,
            work=5_000_000_000,
            slack=0.0,
        ),
    }
)
"""Efforts by the names that users choose from."""
