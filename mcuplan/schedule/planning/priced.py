# SPDX-License-Identifier: Apache-2.0
"""Ways to run each node by rows, priced for calls that make so many of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcuplan.schedule.kernels.forms import in_lean_forms
from mcuplan.schedule.kernels.select import Candidate, Chosen, Ways
from mcuplan.schedule.program import Plan

__all__ = ["Priced"]


@dataclass(frozen=True, slots=True)
class Priced:
    """Ways to run each node, priced for calls that make so many rows.

    ``single`` make a row at a time, ``tall`` several; ``traded`` keep more constants than either.
    """

    single: Ways
    tall: Ways
    traded: Ways

    def cycles(self, plan: Plan) -> float:
        """What the kernels of a plan are priced at."""
        priced = {
            (name, candidate.step.kernel): candidate.cycles
            for ways in (self.single, self.tall, self.traded)
            for name, found in ways.items()
            for candidate in found
        }
        return sum(priced[step.node.name, step.kernel] for step in plan.program.steps)

    def in_lean_forms(self) -> Priced:
        """Leaner kernels, some of whose runs may take a faster form."""
        return replace(self, single=in_lean_forms(self.single), traded=in_lean_forms(self.traded))

    def affordable(self, within: Ways, taken: Chosen) -> Ways:
        """All ways, but for those that keep more weights than the one that flash is there for."""
        room = {name: candidate.constants_bytes for name, candidate in taken.items()}
        return {
            name: tuple(sorted((*single, *self.tall[name], *traded), key=_speed))
            for name, single in self.single.items()
            for traded in [[c for c in within[name] if c.constants_bytes <= room.get(name, -1)]]
        }


def _speed(candidate: Candidate) -> float:
    return candidate.cycles
