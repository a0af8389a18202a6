# SPDX-License-Identifier: Apache-2.0
"""What else could be made of a planned model: each level, both forms of input."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from mcuplan.errors import UsageError
from mcuplan.record.advice import Advice, Way
from mcuplan.record.loss import TypePoint
from mcuplan.record.planned import Planned
from mcuplan.schedule.explore.frontier import FrontierPoint, frontier
from mcuplan.schedule.explore.levels import Arenas, Level, levels, naive_plan
from mcuplan.schedule.planning.choice import plan_asked
from mcuplan.schedule.program import Plan, Streaming
from mcuplan.solvers.effort import EFFORTS

__all__ = [
    "NOTHING",
    "Explored",
    "frontier_of",
    "input_arenas",
    "levels_of",
    "naive_of",
]


@dataclass(frozen=True, slots=True)
class Explored:
    """What a report says of other plans; nothing where nobody asked.

    Attributes:
        levels: the arena level by level, the last one that of the plan.
        input_arenas: the arena with the input held as a whole, and with its rows fed.
        frontier: prices of recompute.
        types: plans with other types of some layers.
        advice: ways to fit, or to be faster, each of them planned.
        blocks: the plan whose weights have 4 bits, as those of the model file.
    """

    levels: tuple[Level, ...] = ()
    input_arenas: tuple[int, int] | None = None
    frontier: tuple[FrontierPoint, ...] = ()
    types: tuple[TypePoint, ...] = ()
    advice: Advice | None = None
    blocks: Way | None = None


NOTHING = Explored()
"""Of other plans."""


def levels_of(planned: Planned) -> tuple[Level, ...]:
    """What each level of planning brought."""
    plan, request = planned.plan, planned.request
    found = levels(
        planned.lowered,
        plan.program.target,
        request.sharing,
        EFFORTS[request.effort],
        planned.undivided,
        streaming=request.streaming,
    )
    if plan.spread is None:
        return found
    return (*found, Level("regions", plan.arena_bytes, Arenas.of(plan)))


def naive_of(planned: Planned) -> Plan:
    """What planning is held against, with the kernels of the plan."""
    return naive_plan(planned.lowered, planned.undivided, planned.request.sharing)


def input_arenas(planned: Planned) -> tuple[int, int] | None:
    """The arena with the input held as a whole, and with its rows fed, where that was asked for.

    None, too, where the input cannot be fed.
    """
    plan, objective = planned.undivided, planned.request.objective
    if planned.request.streaming == "off":
        return None
    if plan.fed_rows:
        return _variant(planned, "auto", objective)[0].arena_bytes, plan.arena_bytes
    with suppress(UsageError):  # not every input has rows that can be fed
        return plan.arena_bytes, _variant(planned, "input", objective)[0].arena_bytes
    return None


def frontier_of(planned: Planned) -> tuple[FrontierPoint, ...]:
    """What recompute in column tiles would buy: prices, no code.

    Raises:
        UsageError: the plan may not work by rows, or its input is not held.
    """
    how = planned.request.streaming
    if how != "auto":
        reason = "the plan may not work by rows" if how == "off" else "tiles read the input again"
        raise UsageError(f"--frontier: {reason}", f"--streaming {how}", "--streaming auto")
    return frontier(planned.undivided, planned.request.sharing)


def _variant(planned: Planned, streaming: Streaming, objective: str) -> tuple[Plan, Plan]:
    """The same lowered graph, asked for otherwise."""
    asked = replace(planned.request, streaming=streaming, objective=objective)
    return plan_asked(asked, planned.lowered, planned.plan.program.target)
