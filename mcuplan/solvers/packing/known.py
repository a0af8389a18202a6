# SPDX-License-Identifier: Apache-2.0
"""Packs tables that come again once: plans of models that differ in little have many in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcuplan.solvers.packing.pack import DEFAULT_ROUNDS, pack
from mcuplan.solvers.packing.problem import MemoryPlan, Problem

__all__ = ["Packer"]


@dataclass(slots=True)
class Packer:
    """What :func:`pack` gives, kept for the same buffers under the same limits."""

    _known: dict[object, MemoryPlan] = field(default_factory=dict)

    def __call__(
        self,
        problem: Problem,
        *,
        capacity: int | None = None,
        node_limit: int | None = None,
        work_limit: int | None = None,
        exact: bool = True,
        rounds: int = DEFAULT_ROUNDS,
        ejections: int = 0,
    ) -> MemoryPlan:
        """See :func:`pack`."""
        table = tuple(problem.separations.items()), tuple(problem.pinned.items())
        limits = capacity, node_limit, work_limit, exact, rounds, ejections
        key = problem.buffers, table, limits
        if key not in self._known:
            self._known[key] = pack(
                problem,
                capacity=capacity,
                node_limit=node_limit,
                work_limit=work_limit,
                exact=exact,
                rounds=rounds,
                ejections=ejections,
            )
        return self._known[key]
