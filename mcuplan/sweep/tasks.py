# SPDX-License-Identifier: Apache-2.0
"""A task of a sweep: one model with one set of options, on all targets that have no row yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcuplan import commands
from mcuplan.errors import DefectFound, McuplanError, OtherTool, Problems, WorkerDied
from mcuplan.record import Budget
from mcuplan.sweep.keys import tool_digest
from mcuplan.sweep.rows import Row, row_of_errors, row_of_report

__all__ = ["Task", "failed", "run_task"]


@dataclass(frozen=True, slots=True)
class Task:
    """What one process does at a time; small, as it is sent to other machines.

    Attributes:
        model: whole path of the file.
        columns: of a row, that are known before.
        options: of `check`, converted and complete, but for the target; paths are whole.
        targets: by name, what loads them: the name, or the whole path of a file.
        tool: digest of the installation that asks.
    """

    model: Path
    columns: Mapping[str, str]
    options: Mapping[str, Any]
    targets: Mapping[str, str]
    tool: str

    def after(self, done: int) -> Task:
        """What is left when so many targets have their row."""
        return replace(self, targets=dict(list(self.targets.items())[done:]))


def run_task(task: Task) -> Iterator[Row]:
    """A row for each target, in their order; whatever is wrong is one, too."""
    if task.tool != tool_digest():
        hint = "install the same mcuplan everywhere"
        yield from failed(task, OtherTool("this worker has another mcuplan", hint=hint))
        return
    done = 0
    while done < len(task.targets):
        left = task.after(done)
        try:
            for row in _rows(left):
                yield row
                done += 1
        except MemoryError:
            yield next(failed(task.after(done), WorkerDied("the memory does not suffice")))
            done += 1
        except Exception as error:  # a defect must not stop all others
            said = f"{type(error).__name__}: {error}"[:400]
            yield next(failed(task.after(done), DefectFound(said)))
            done += 1


def failed(task: Task, error: McuplanError) -> Iterator[Row]:
    """Rows of a task that has no answer."""
    for name in task.targets:
        yield row_of_errors({**task.columns, "target": name}, [error])


def _rows(task: Task) -> Iterator[Row]:
    checked = commands.check_targets(task.model, list(task.targets.values()), task.options)
    for name, (_, found) in zip(task.targets, checked, strict=True):
        columns = {**task.columns, "target": name}
        if isinstance(found, Budget):
            yield row_of_report({**columns, "sha256": found.model.sha256}, found)
        else:
            errors = found.errors if isinstance(found, Problems) else (found,)
            yield _without_place(task, row_of_errors(columns, errors))


def _without_place(task: Task, row: Row) -> Row:
    """A row that names the model by its file: where it lies is no part of the answer."""
    whole, name = str(task.model), task.model.name
    texts = (row.error_message or "", row.error_where or "")
    message, where = (text.replace(whole, name) for text in texts)
    return replace(row, error_message=message, error_where=where)
