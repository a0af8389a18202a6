# SPDX-License-Identifier: Apache-2.0
"""RAM that is to spare buys speed on boards whose flash is slow: weights are read from copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mcuplan.facts import RamSpent
from mcuplan.ir.staging import staged, staged_bytes
from mcuplan.schedule.kernels.choose import Choice, Placer
from mcuplan.schedule.kernels.objective import Aim, Objective, plan_cycles
from mcuplan.schedule.kernels.select import Candidate, Chosen, by_speed
from mcuplan.schedule.planning.rating import Rating
from mcuplan.schedule.program import Plan, Program
from mcuplan.targets import Target

__all__ = ["spend_ram", "with_copies"]

_SHARE = 10  # of the RAM, that the default objective spends: 1/10
_WORTH = 0.98  # of its cycles, that a step may take at most with a copy
_LEAST_GAIN = 0.03  # of all cycles, that copies save at least by the default objective
_MOST_TRIALS = 24


def spend_ram(choice: Choice[Plan], aim: Aim, placer: Placer[Plan], rating: Rating) -> Choice[Plan]:
    """The choice with copies of weights in the arena, for the steps that save most by them.

    For latency all RAM is to spare, for the default objective a tenth of it; else none.

    Args:
        choice: of kernels that read their weights from flash.
        aim: the objective.
        placer: makes a plan of a choice.
        rating: of plans, by the RAM there is.
    """
    plan, chosen = choice.placed, choice.chosen
    limit = _limit(plan, aim, rating)
    if limit <= plan.arena_bytes:
        return choice

    def allowed(copied: Chosen) -> bool:
        trial = placer({**chosen, **copied})
        return trial.arena_bytes <= limit and rating.fits(trial)

    found = dict(
        sorted(
            _copies(chosen, plan.program.target),
            key=lambda item: item[1].cycles - chosen[item[0]].cycles,
        )
    )
    copied = found if found and allowed(found) else _one_by_one(found, allowed)
    if not copied:
        return choice
    now = {**chosen, **copied}
    before, after = (sum(c.cycles for c in kept.values()) for kept in (chosen, now))
    gain = 1 - after / max(1.0, before)
    if gain < _least_gain(aim):
        return choice
    spent = RamSpent(len(copied), placer.size(now) - placer.size(chosen), 100 * gain)
    return Choice(now, placer.best(now), replace(choice.trade, ram=spent))


def _limit(plan: Plan, aim: Aim, rating: Rating) -> int:
    """Bytes that the arena may take; those that it has where none are to spare."""
    target = plan.program.target
    if target.memory is None or aim.objective not in (Objective.LATENCY, Objective.BALANCED):
        return plan.arena_bytes
    more = rating.room(target)
    return plan.arena_bytes + (more if aim.objective is Objective.LATENCY else more // _SHARE)


def _copies(chosen: Chosen, target: Target) -> Iterator[tuple[str, Candidate]]:
    """Steps that are faster with their weights in RAM, the copying included."""
    for name, candidate in chosen.items():
        copied = _copied(candidate, target)
        if copied is not None:
            yield name, copied


def _copied(candidate: Candidate, target: Target, rows: Sequence[int] = ()) -> Candidate | None:
    """The same with its weights in RAM, if that is faster with the copying included."""
    step = candidate.step
    if step.kernel.staged or not staged_bytes(step.kernel, step.signature):
        return None
    (copied,) = by_speed([replace(step, kernel=staged(step.kernel))], target, lambda _: rows)
    return copied if copied.cycles <= _WORTH * candidate.cycles else None


def with_copies(
    plan: Plan, aim: Aim, rating: Rating, place: Callable[[Program], Plan | None]
) -> Plan:
    """The plan with copies of weights for the steps that save most by them, as far as they fit.

    Of a plan by rows, whose copies stay from the first row of a step to the last.

    Args:
        plan: whose kernels read their weights from flash.
        aim: the objective.
        rating: of plans, by the RAM there is.
        place: makes a plan of a program with the same steps, some of which have a copy; None
            where its rows would lie too far apart.
    """
    limit, steps = _limit(plan, aim, rating), plan.program.steps
    found: dict[int, Candidate] = {}
    saved: dict[int, float] = {}
    for step in steps if limit > plan.arena_bytes else ():
        rows = plan.rows_per_call(step)
        (now,) = by_speed([step], plan.program.target, plan.rows_per_call)
        copied = _copied(now, plan.program.target, rows)
        if copied is not None:
            found[step.index], saved[step.index] = copied, now.cycles - copied.cycles
    every = sorted(found, key=lambda index: saved[index] / found[index].step.scratch_bytes)
    once = [i for i in every if len(plan.rows_per_call(found[i].step)) == 1]

    def within(order: Sequence[int]) -> Plan | None:
        taken = {index: found[index].step for index in order}
        trial = place(replace(plan.program, steps=tuple(taken.get(s.index, s) for s in steps)))
        held = trial is not None and trial.arena_bytes <= limit and rating.fits(trial)
        return trial if held else None

    best, count = _most(every, within)
    if count < len(every):  # copies that stay through other steps may be what is too much
        other, fewer = _most(once, within)
        if other is not None and (best is None or plan_cycles(other) < plan_cycles(best)):
            best, count = other, fewer
    if best is None:
        return plan
    gain = 1 - plan_cycles(best) / max(1.0, plan_cycles(plan))
    return _said(best, plan, count, gain) if gain >= _least_gain(aim) else plan


def _most(
    order: Sequence[int], within: Callable[[Sequence[int]], Plan | None]
) -> tuple[Plan | None, int]:
    """The plan with all of them that fit, the better half, half of that .., and how many."""
    while order:
        plan = within(order)
        if plan is not None:
            return plan, len(order)
        order = order[(len(order) + 1) // 2 :]
    return None, 0


def _least_gain(aim: Aim) -> float:
    """Share of cycles that copies must save."""
    return 0.0 if aim.objective is Objective.LATENCY else _LEAST_GAIN


def _said(plan: Plan, before: Plan, count: int, gain: float) -> Plan:
    """The plan, with what it took."""
    assert before.selected is not None, "its kernels were chosen"
    spent = RamSpent(count, plan.arena_bytes - before.arena_bytes, 100 * gain)
    trade = replace(before.selected.trade, ram=spent)
    return replace(plan, selected=replace(before.selected, trade=trade))


def _one_by_one(found: Chosen, allowed: Callable[[Chosen], bool]) -> dict[str, Candidate]:
    """Those that the limits allow, what saves most first."""
    kept: dict[str, Candidate] = {}
    for name, candidate in list(found.items())[:_MOST_TRIALS]:
        if allowed({**kept, name: candidate}):
            kept[name] = candidate
    return kept
