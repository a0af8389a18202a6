# SPDX-License-Identifier: Apache-2.0
"""RAM that is to spare buys speed on boards whose flash is slow: weights are read from copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from mcuplan.facts import RamSpent
from mcuplan.ir.staging import staged, staged_bytes
from mcuplan.schedule.kernels.choose import Choice, Placer
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.select import Candidate, by_speed
from mcuplan.schedule.program import Plan
from mcuplan.targets import Target

__all__ = ["spend_ram"]

_SHARE = 10  # of the RAM, that the default objective spends: 1/10
_WORTH = 0.98  # of its cycles, that a step may take at most with a copy
_MOST_TRIALS = 24

Chosen = Mapping[str, Candidate]


def spend_ram(
    choice: Choice[Plan], aim: Aim, placer: Placer[Plan], fits: Callable[[Plan], bool]
) -> Choice[Plan]:
    """The choice with copies of weights in the arena, for the steps that save most by them.

    For latency all RAM is to spare, for the default objective a tenth of it; else none.

    Args:
        choice: of kernels that read their weights from flash.
        aim: the objective, and the RAM there is.
        placer: makes a plan of a choice.
        fits: whether a plan's arena and what lies beside it keep their limits.
    """
    plan, chosen = choice.placed, choice.chosen
    target = plan.program.target
    if target.memory is None or aim.objective not in (Objective.LATENCY, Objective.BALANCED):
        return choice
    room = sum(region.usable_bytes for region in target.ram)
    more = min(room, aim.ram_limit or room)
    limit = plan.arena_bytes + (more if aim.objective is Objective.LATENCY else more // _SHARE)

    def allowed(copied: Chosen) -> bool:
        trial = placer({**chosen, **copied})
        return trial.arena_bytes <= limit and fits(trial)

    found = dict(
        sorted(_copies(chosen, target), key=lambda item: item[1].cycles - chosen[item[0]].cycles)
    )
    copied = found if found and allowed(found) else _one_by_one(found, allowed)
    if not copied:
        return choice
    now = {**chosen, **copied}
    before, after = (sum(c.cycles for c in kept.values()) for kept in (chosen, now))
    nbytes = placer.size(now) - placer.size(chosen)
    spent = RamSpent(len(copied), nbytes, 100 * (1 - after / max(1.0, before)))
    return Choice(now, placer.best(now), replace(choice.trade, ram=spent))


def _copies(chosen: Chosen, target: Target) -> Iterator[tuple[str, Candidate]]:
    """Steps that are faster with their weights in RAM, the copying included."""
    for name, candidate in chosen.items():
        step = candidate.step
        if step.kernel.staged or not staged_bytes(step.kernel, step.signature):
            continue
        (copied,) = by_speed([replace(step, kernel=staged(step.kernel))], target)
        if copied.cycles <= _WORTH * candidate.cycles:
            yield name, copied


def _one_by_one(found: Chosen, allowed: Callable[[Chosen], bool]) -> dict[str, Candidate]:
    """Those that the limits allow, what saves most first."""
    kept: dict[str, Candidate] = {}
    for name, candidate in list(found.items())[:_MOST_TRIALS]:
        if allowed({**kept, name: candidate}):
            kept[name] = candidate
    return kept
