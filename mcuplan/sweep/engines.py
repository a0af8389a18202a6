# SPDX-License-Identifier: Apache-2.0
"""What runs tasks: an engine takes all of them and gives rows as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcuplan.errors import ToolMissing, WorkerDied
from mcuplan.sweep.rows import Row
from mcuplan.sweep.tasks import Task, failed

__all__ = ["AHEAD", "ATTEMPTS", "Answer", "Cluster", "Engine", "lost", "not_installed"]

AHEAD = 3
"""Tasks that a cluster has at once for each of its processors: one at work, others on their way."""

ATTEMPTS = 3
"""How often a task is begun whose workers die, before it is given up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The next row of a task.

    Attributes:
        task: which one, of those given.
        row: of the first of its targets that has none yet.
    """

    task: int
    row: Row


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that an engine runs tasks on by its own client.

    Attributes:
        address: of it; empty: one of this machine, for the time of the sweep.
        jobs: how many tasks at once there.
        timeout_s: how long the next row of a task may take.
    """

    address: str
    jobs: int
    timeout_s: float


def not_installed(name: str) -> ToolMissing:
    """What is said where the client of a cluster is not there."""
    hint = f"pip install 'mcuplan[{name.lower()}]', or --engine local"
    return ToolMissing(f"{name} is not installed", f"--engine {name.lower()}", hint)


def lost(task: Task, how: str) -> Iterator[Row]:
    """Rows of a task whose workers all ended."""
    return failed(task, WorkerDied(f"its workers ended ({how})", hint="more memory for each"))


class Engine(Protocol):
    """Runs tasks, on this machine or elsewhere."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Rows of all tasks, those of one task in the order of its targets.

        Workers that die are replaced, and their tasks begun again.

        Raises:
            ToolMissing: the engine's package is not installed.
            ToolFailed: the engine cannot be reached.
        """
