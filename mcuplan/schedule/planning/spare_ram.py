# SPDX-License-Identifier: Apache-2.0
"""RAM that is to spare buys speed on boards whose flash is slow: weights are read from copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mcuplan.ir.staging import staged, staged_bytes
from mcuplan.plan_facts import RamSpent
from mcuplan.schedule.kernels.as_many import as_many
from mcuplan.schedule.kernels.choose import Choice
from mcuplan.schedule.kernels.objective import Aim, Objective, plan_cycles
from mcuplan.schedule.kernels.placer import Placer
from mcuplan.schedule.kernels.select import Candidate, Chosen, by_speed
from mcuplan.schedule.planning.rating import Rating
from mcuplan.schedule.program import Plan, Program
from mcuplan.targets import Target

__all__ = ["spend_ram", "with_copies"]

_SHARE = 10  # of the RAM, that the default objective spends: 1/10
_WORTH = 0.98  # of its cycles, that a step may take at most with a copy
_LEAST_GAIN = 0.03  # of all cycles, that copies save at least by the default objective


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
        return trial.arena_bytes <= limit and _fits(trial, plan, rating)

    found = dict(_copies(chosen, plan.program.target))
    order = sorted(found, key=lambda name: found[name].cycles - chosen[name].cycles)
    taken = as_many(order, lambda names: allowed({name: found[name] for name in names}))
    copied = {name: found[name] for name in taken}
    if not copied:
        return choice
    now = {**chosen, **copied}
    before, after = (sum(c.cycles for c in kept.values()) for kept in (chosen, now))
    gain = 1 - after / max(1.0, before)
    if gain < _least_gain(aim):
        return choice
    spent = RamSpent(len(copied), placer.size(now) - placer.size(chosen), 100 * gain)
    return Choice(now, placer.best(now), replace(choice.trade, ram=spent))


def _fits(copying: Plan, before: Plan, rating: Rating) -> bool:
    """Whether RAM holds a plan, and flash the code that copies, unless it is over either way."""
    return rating.fits(copying) and (rating.in_flash(copying) or not rating.in_flash(before))


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
    made: dict[tuple[int, ...], Plan] = {}

    def fits(indices: Sequence[int]) -> bool:
        copies = {index: found[index].step for index in indices}
        program = replace(plan.program, steps=tuple(copies.get(s.index, s) for s in steps))
        trial = place(program)
        if trial is None or trial.arena_bytes > limit or not _fits(trial, plan, rating):
            return False
        made[tuple(indices)] = trial
        return True

    order = sorted(found, key=lambda index: -saved[index] / found[index].step.scratch_bytes)
    taken = as_many(order, fits)
    if not taken:
        return plan
    trial = made[tuple(taken)]
    gain = 1 - plan_cycles(trial) / max(1.0, plan_cycles(plan))
    return _said(trial, plan, len(taken), gain) if gain >= _least_gain(aim) else plan


def _least_gain(aim: Aim) -> float:
    """Share of cycles that copies must save."""
    return 0.0 if aim.objective is Objective.LATENCY else _LEAST_GAIN


def _said(plan: Plan, before: Plan, count: int, gain: float) -> Plan:
    """The plan, with what it took."""
    assert before.selected is not None, "its kernels were chosen"
    spent = RamSpent(count, plan.arena_bytes - before.arena_bytes, 100 * gain)
    trade = replace(before.selected.trade, ram=spent)
    return replace(plan, selected=replace(before.selected, trade=trade))
