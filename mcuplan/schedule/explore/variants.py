# SPDX-License-Identifier: Apache-2.0
"""What else could be made of a planned model: each level, both forms of input, less RAM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

from mcuplan.errors import UsageError
from mcuplan.passes.io_layout import rows_at_boundary
from mcuplan.record.loss import TypePoint
from mcuplan.record.planned import Planned
from mcuplan.schedule.explore.frontier import FrontierPoint, frontier
from mcuplan.schedule.explore.levels import Arenas, Level, levels, naive_plan
from mcuplan.schedule.planning.choice import plan_asked
from mcuplan.schedule.planning.relower import lowered_again
from mcuplan.schedule.program import Plan, Streaming
from mcuplan.solvers.effort import EFFORTS

__all__ = [
    "NOTHING",
    "Explored",
    "frontier_of",
    "input_arenas",
    "less_ram",
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
        less_ram: flags and the plan they lead to, mildest first, planned as they are taken.
    """

    levels: tuple[Level, ...] = ()
    input_arenas: tuple[int, int] | None = None
    frontier: tuple[FrontierPoint, ...] = ()
    types: tuple[TypePoint, ...] = ()
    less_ram: Iterable[tuple[str, Plan]] = ()


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


_LARGE = 60  # steps


def less_ram(planned: Planned) -> Iterator[tuple[str, Plan]]:
    """Flags that may need less RAM and the plan with them, mildest first; planned when taken.

    Large networks are planned with little effort, which tells from above what they need.
    """
    objectives: tuple[str, ...] = (planned.request.objective, "ram", "ram=strict")
    if len(planned.lowered.nodes) > _LARGE:
        planned = replace(planned, request=replace(planned.request, effort="fast"))
        objectives = objectives[:2]
    request = planned.request
    rows: tuple[Streaming, ...] = ("off", "auto") if request.streaming == "off" else ()
    for streaming, objective in product(rows or (request.streaming,), objectives):
        flags = [f"--streaming {streaming}"] if streaming != request.streaming else []
        flags += [f"--objective {objective}"] if objective != request.objective else []
        if flags:
            yield " ".join(flags), _variant(planned, streaming, objective)[1]
    model = planned.grids.graph
    if request.io_layout == "model" and rows_at_boundary(model) is not model:
        yield "--io-layout nhwc", _by_pixels(planned)
    if request.streaming == "auto":  # the call changes with it: the last resort
        with suppress(UsageError):  # not every input has rows that can be fed
            for objective in dict.fromkeys(objectives):
                kernels = f" --objective {objective}" if objective != request.objective else ""
                yield f"--streaming input{kernels}", _variant(planned, "input", objective)[1]


def _variant(planned: Planned, streaming: Streaming, objective: str) -> tuple[Plan, Plan]:
    """The same lowered graph, asked for otherwise."""
    asked = replace(planned.request, streaming=streaming, objective=objective)
    return plan_asked(asked, planned.lowered, planned.plan.program.target)


def _by_pixels(planned: Planned) -> Plan:
    """The plan of the model with inputs and outputs as rows of pixels."""
    removal = lowered_again(planned, planned.trimmed.silent, rows=True)
    return plan_asked(planned.request, removal.graph, planned.plan.program.target)[1]
