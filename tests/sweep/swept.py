# SPDX-License-Identifier: Apache-2.0
"""Small models in a folder, and what a sweep of them leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from small_nets import Net

from mcuplan.cli import run
from mcuplan.options.sweeping import option_sets
from mcuplan.sweep.cases import Case, cases_of, models_of, targets_of
from mcuplan.sweep.engines import Answer
from mcuplan.sweep.tasks import Task, run_task

__all__ = ["Here", "cases", "rows_of", "swept", "write_models"]


def write_models(folder: Path, count: int = 2) -> list[str]:
    """So many models of one convolution, and none that is none; their names."""
    folder.mkdir(exist_ok=True)
    names = [f"net{number}.onnx" for number in range(count)]
    for number, name in enumerate(names):
        Net([1, 2, 6, 6]).conv(2 + number, 2, 3).add("Relu").save(folder / name)
    return names


def swept(*arguments: str, output: str = "rows.jsonl") -> list[dict[str, Any]]:
    """Rows of a sweep that comes to its end."""
    assert 0 == run(["sweep", *arguments, "--effort", "fast", "-q", "-o", output])
    return rows_of(Path(output))


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Rows of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


class Here:
    """An engine that is this process."""

    def __init__(self) -> None:
        self.given: list[Task] = []

    def run(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Rows of one task after the other."""
        self.given.extend(tasks)
        for number, task in enumerate(tasks):
            yield from (Answer(number, row) for row in run_task(task))


def cases(pattern: str, targets: str) -> list[Case]:
    """Every model of a pattern with ``--effort fast``."""
    options = list(option_sets({"effort": ("fast",), "changes": ()}, {"effort"}, {}))
    return list(cases_of(models_of([pattern]), targets_of([targets]), lambda model: options))
