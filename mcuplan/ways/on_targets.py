# SPDX-License-Identifier: Apache-2.0
"""One model on every chip and board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mcuplan import pipeline
from mcuplan.budget.assess import assess
from mcuplan.record import Budget, Request, Status
from mcuplan.targets import list_targets, load_target

__all__ = ["on_targets", "room"]


def on_targets(model: Path, dims: Mapping[str, int], cuts: tuple[str, ...]) -> tuple[Budget, ...]:
    """The report of a model on every built-in target, the roomiest first; it is read once."""
    return tuple(sorted(_budgets(model, dims, cuts), key=_by_room))


def _budgets(model: Path, dims: Mapping[str, int], cuts: tuple[str, ...]) -> Iterator[Budget]:
    first, *others = (replace(load_target(name), backend="auto") for name in list_targets())
    planned = pipeline.plan(Request(model, first, dims, cuts), sizes_only=True)
    yield assess(planned, command="targets fit")
    for target in others:
        planned = pipeline.plan_for(planned, target)
        yield assess(planned, command="targets fit")


def room(budget: Budget) -> float:
    """The share that is left of the memory that is fuller; below 0 over budget."""
    bills = (budget.ram, budget.flash)
    return min((b.budget_bytes - b.total_bytes) / max(1, b.budget_bytes) for b in bills)


def _by_room(budget: Budget) -> tuple[bool, float, str]:
    """What fits before what does not, each with the most room first."""
    return budget.verdict.status is not Status.FITS, -room(budget), budget.target.name
