# SPDX-License-Identifier: Apache-2.0
"""Steps as a CSV table: ``id,bytes,reads`` in, ``id,bytes`` in the best order out.

Every step makes ``bytes`` that live until the last step that reads them, to the end where none
does. ``reads`` names steps of lines above, apart from one another by spaces. A column
``scratch`` (bytes while the step runs, 0 unless given) is optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcuplan.errors import DataError
from mcuplan.solvers.csv_file import csv_lines, csv_text, number, read_text
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.steps.problem import Sequencing, sequencing
from mcuplan.solvers.steps.segments import best_sequence

__all__ = ["order_csv"]

_MOST_STEPS = 20_000
_MOST_BYTES = 1 << 40


def _step(row: Mapping[str, str]) -> tuple[int, tuple[str, ...], int]:
    nbytes = number(row, "bytes", 0, _MOST_BYTES)
    return nbytes, tuple(row["reads"].split()), number(row, "scratch", 0, _MOST_BYTES, "0")


def _problem(text: str, file: str) -> tuple[tuple[str, ...], Sequencing]:
    steps = csv_lines(text, file, ("id", "bytes", "reads"), ("scratch",), _step)
    if len(steps) > _MOST_STEPS:
        raise DataError(f"has more than {_MOST_STEPS:,} steps", file, "split the table")
    place = {name: at for at, name in enumerate(steps)}
    readers: list[list[int]] = [[] for _ in steps]
    for name, (_, reads, _) in steps.items():
        for other in reads:
            if place.get(other, len(steps)) >= place[name]:
                reason = f"{name[:40]!r} reads {other[:40]!r}, which no line above makes"
                raise DataError(reason, file, "put every step below those that it reads")
            readers[place[other]].append(place[name])
    storages = [
        (nbytes, (at,), readers[at], not readers[at])
        for at, (nbytes, _, _) in enumerate(steps.values())
    ]
    before = [[place[other] for other in reads] for _, reads, _ in steps.values()]
    return tuple(steps), sequencing(before, storages, [extra for *_, extra in steps.values()])


def order_csv(path: Path) -> tuple[str, int, int]:
    """The table in the order with the least peak, that peak, and what every order needs.

    Raises:
        UsageError, DataError, Problems: the file is no such table.
    """
    names, problem = _problem(read_text(path), path.name)
    best = best_sequence(problem, Effort())
    rows = ((names[step], problem.storages[step].nbytes) for step in best.order)
    return csv_text(("id", "bytes"), rows), best.peak, best.lower_bound
