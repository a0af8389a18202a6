# SPDX-License-Identifier: Apache-2.0
"""A sweep: what has no row yet is computed by an engine, and then all rows are there in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mcuplan.errors import CoreMissing, OtherTool, TimedOut, ToolFailed, ToolMissing, WorkerDied
from mcuplan.sweep.cache import Rows
from mcuplan.sweep.cases import Case
from mcuplan.sweep.engines import Engine
from mcuplan.sweep.rows import Row
from mcuplan.sweep.tasks import Task

__all__ = ["Left", "Sweep"]

_PASSING = frozenset(
    error.code for error in (CoreMissing, OtherTool, TimedOut, ToolFailed, ToolMissing, WorkerDied)
)
"""Errors that another machine, or another day, may not have: their rows are not kept."""


@dataclass(frozen=True, slots=True)
class Left:
    """Tasks that are to be done, and the keys of the rows of each."""

    tasks: list[Task]
    keys: list[list[bytes]]

    @property
    def rows(self) -> int:
        """How many rows there will be."""
        return sum(map(len, self.keys))


@dataclass(slots=True)
class Sweep:
    """Cases, and the rows that are known.

    Attributes:
        cases: in the order of the table; the rows of one are those of its targets.
        kept: rows by key, of earlier sweeps, too.
        passing: rows of this sweep that the next one tries again.
    """

    cases: Sequence[Case]
    kept: Rows
    passing: dict[bytes, Row] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Rows of the whole table."""
        return sum(len(case.keys) for case in self.cases)

    def left(self) -> Left:
        """What is to be done for the rows that are not known; none is there twice."""
        tasks, wanted, seen = list[Task](), list[list[bytes]](), set[bytes]()
        for case in self.cases:
            keys = {}
            for (name, place), key in zip(case.task.targets.items(), case.keys, strict=True):
                if key not in self.kept and key not in seen:
                    seen.add(key)
                    keys[key] = (name, place)
            if keys:
                new = len(keys) == len(case.keys)
                tasks.append(case.task if new else replace(case.task, targets=dict(keys.values())))
                wanted.append(list(keys))
        return Left(tasks, wanted)

    def run(self, left: Left, engine: Engine, heard: Callable[[Row], object]) -> None:
        """Compute what is left; ``heard`` takes rows as they come.

        Raises:
            ToolMissing, ToolFailed: the engine is not there.
        """
        done = [0] * len(left.tasks)
        for answer in engine.run(left.tasks):
            number, row = answer.task, answer.row
            key = left.keys[number][done[number]]
            done[number] += 1
            changed = row.sha256 != left.tasks[number].columns["sha256"]
            if changed or row.error_code in _PASSING:
                self.passing[key] = row
            else:
                self.kept.put(key, row)
            heard(row)

    def rows(self) -> Iterator[Row]:
        """All rows, in the order of cases and targets."""
        for case in self.cases:
            for key in case.keys:
                row = self.passing[key] if key in self.passing else self.kept[key]
                yield replace(row, model=case.task.columns["model"])
