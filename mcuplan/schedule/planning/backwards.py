# SPDX-License-Identifier: Apache-2.0
"""Kernels for steps that must make their rows from the last to the first, one at a time.

A kernel that works on pixels of two rows together loses that where every row is a call of its
own; another one may then be faster.
"""

from __future__ import annotations

from dataclasses import replace

from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.kernels.choose import Choice, choose
from mcuplan.schedule.kernels.objective import (
    MORE_CYCLES,
    Aim,
    Objective,
    plan_cycles,
    ram_weight,
)
from mcuplan.schedule.kernels.placer import Placer
from mcuplan.schedule.kernels.select import Candidate, Ways, by_speed
from mcuplan.schedule.program import Plan, Sharing, Step
from mcuplan.targets import Target

__all__ = ["chosen_backwards", "worth_backwards"]


def chosen_backwards(
    choice: Choice[Plan], ways: Ways, aim: Aim, placer: Placer[Plan], sharing: Sharing
) -> Choice[Plan]:
    """The choice with kernels for what its plan runs backwards, where that is faster.

    They take the places of those chosen, or everything is placed anew; no more arena either way.
    """
    plan = choice.placed
    backwards = {plan.program.steps[run.step].node.name for run in plan.runs if run.descending}
    if aim.objective is Objective.FLASH or not backwards:
        return choice
    target = plan.program.target
    priced = {
        name: _row_by_row(found, target) if name in backwards else found
        for name, found in ways.items()
    }
    if all(priced[name][0].step is ways[name][0].step for name in backwards):
        return choice
    again = choose(priced, aim, placer).placed
    found = [plan, *(_exchanged(one, ways, sharing) for one in (plan, again))]
    fitting = [one for one in found if placer.arena_bytes(one) <= placer.arena_bytes(plan)]
    best = min(fitting, key=plan_cycles)
    if best is plan:
        return choice
    saved = 100 * (1 - plan_cycles(best) / plan_cycles(plan))
    return Choice(choice.chosen, best, replace(choice.trade, backwards=saved))


def worth_backwards(plan: Plan, onwards: Plan, objective: Objective) -> bool:
    """Whether the arena that rows made backwards save is worth their calls.

    Args:
        plan: some of whose steps run backwards.
        onwards: the same kernels, each step in one call.
        objective: of both.
    """
    taken, least = plan_cycles(plan), plan_cycles(onwards)
    if onwards.arena_bytes <= plan.arena_bytes:
        return taken <= least
    if objective is Objective.RAM:
        weight = ram_weight(plan.arena_bytes, taken)
        return weight <= ram_weight(onwards.arena_bytes, least)
    return objective is not Objective.BALANCED or taken <= MORE_CYCLES * least


def _row_by_row(found: tuple[Candidate, ...], target: Target) -> tuple[Candidate, ...]:
    """Candidates of a step with a call for each row, fastest first."""
    rows = found[0].step.signature.output.rows
    return by_speed([candidate.step for candidate in found], target, lambda _: (1,) * rows)


def _exchanged(plan: Plan, ways: Ways, sharing: Sharing) -> Plan:
    """The plan with the fastest kernel for each step it runs backwards, in the same places."""
    steps = tuple(
        _fastest(step, ways[step.node.name], plan.program.target) if run.descending else step
        for step, run in zip(plan.program.steps, plan.runs, strict=True)
    )
    if all(one is other for one, other in zip(steps, plan.program.steps, strict=True)):
        return plan
    exchanged = replace(plan, program=replace(plan.program, steps=steps))
    check_rows(exchanged, keep_inputs=sharing.keep_inputs)
    return exchanged


def _fastest(step: Step, found: tuple[Candidate, ...], target: Target) -> Step:
    """The step with the fastest kernel that needs no more than is there for its own."""
    for candidate in _row_by_row(found, target):
        kernel = candidate.step.kernel
        if kernel == step.kernel:
            return step
        same = kernel.row_by_row and kernel.inplace_inputs(step.signature) == step.inplace_inputs
        if same and kernel.scratch_bytes(step.signature) <= step.scratch_bytes:
            return replace(step, kernel=kernel)
    return step
