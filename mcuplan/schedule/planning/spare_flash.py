# SPDX-License-Identifier: Apache-2.0
"""Flash that is to spare buys speed: kernels that keep a multiple of their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from mcuplan.ir.op import Kernel
from mcuplan.plan_facts import FlashSpent
from mcuplan.price import kernel_size
from mcuplan.schedule.kernels.choose import Choice
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.placer import Placer
from mcuplan.schedule.kernels.select import Candidate, Chosen, Ways, flash_bytes, flash_room
from mcuplan.schedule.program import Plan, Program

__all__ = ["bought", "spend_flash", "spent"]

_BESIDE = 16  # of the flash: 1/16 stays for tables of rows and gaps between constants
_WORTH = 0.95  # of its cycles, that a step may take at most with more flash
_MOST_SETS = 400  # of kernels that none beats in both bytes and cycles, kept at a time
_MOST_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class _Set:
    """Faster kernels of some steps: the flash beyond that of those they have, cycles saved."""

    nbytes: int
    saved: float
    taken: Chosen


def spend_flash(
    choice: Choice[Plan],
    more: Ways,
    aim: Aim,
    placer: Placer[Plan],
    better: Callable[[Plan, Plan], bool],
) -> Choice[Plan]:
    """The choice with the kernels that save most cycles in the flash that is to spare.

    For latency all flash is to spare, else an eighth of it; none where flash is what counts.

    Args:
        choice: of kernels that trade nothing.
        more: the candidates that do.
        aim: the objective, and the flash there is.
        placer: makes a plan of a choice.
        better: whether such a plan is to be taken, and not the one before.
    """
    if aim.objective is Objective.FLASH or not any(more.values()):
        return choice
    chosen, program = choice.chosen, choice.placed.program
    taken = _placed(choice, more, aim, placer, better)
    if not taken:
        return choice
    now = {**chosen, **taken}
    fact = spent(program, placer(now).program, chosen, now)
    return Choice(now, placer.best(now), replace(choice.trade, flash=fact))


def spent(before: Program, after: Program, chosen: Chosen, now: Chosen) -> FlashSpent:
    """What some kernels of one program took more than those of another, and what they save."""
    changed = sum(now[name] is not candidate for name, candidate in chosen.items())
    cycles = [sum(c.cycles for c in found.values()) for found in (chosen, now)]
    nbytes = flash_bytes(after) - flash_bytes(before)
    return FlashSpent(changed, nbytes, 100 * (1 - cycles[1] / max(1.0, cycles[0])))


def _spare(program: Program, aim: Aim) -> int:
    """Bytes of flash that a program leaves, as far as the objective spends them."""
    limit = flash_room(program.target, aim.flash_limit)
    left = limit - limit // _BESIDE - flash_bytes(program)
    return left if aim.objective is Objective.LATENCY else min(left, limit // aim.flash_share)


def bought(chosen: Chosen, more: Ways, aim: Aim, program: Program) -> dict[str, Candidate]:
    """The kernels that save most in the bytes beside those of a program.

    Of all sets of them, as long as those that none beats in both are few.
    """
    every, spare = _functions(more), _spare(program, aim)
    code = _code(chosen, every)
    best = _saving_most(chosen, more, spare - code)
    if not code:
        return dict(best.taken)
    few = _functions({n: (c,) for n, c in _saving_most(chosen, more, spare).taken.items()})
    if few.keys() != every.keys():  # code of kernels that nobody takes keeps none from its bytes
        those = {n: tuple(c for c in f if c.step.kernel.function in few) for n, f in more.items()}
        other = _saving_most(chosen, those, spare - _code(chosen, few))
        best = max(best, other, key=lambda one: one.saved)
    return dict(best.taken)


def _functions(ways: Ways) -> dict[str, Kernel]:
    return {c.step.kernel.function: c.step.kernel for found in ways.values() for c in found}


def _code(chosen: Chosen, new: Mapping[str, Kernel]) -> int:
    """Bytes of code of kernels that a choice does not have yet, with its margin."""
    known = {c.step.kernel.function for c in chosen.values()}
    code = sum(kernel_size(k).code_bytes for name, k in new.items() if name not in known)
    return code + code // 2


def _saving_most(chosen: Chosen, more: Ways, spare: int) -> _Set:
    sets = [_Set(0, 0.0, {})]
    for name, found in more.items():
        now = chosen[name]
        faster = [c for c in found if c.cycles <= _WORTH * now.cycles]
        options = [
            (c, c.constants_bytes - now.constants_bytes, now.cycles - c.cycles) for c in faster
        ]
        sets += [
            _Set(one.nbytes + nbytes, one.saved + saved, {**one.taken, name: candidate})
            for one in sets
            for candidate, nbytes, saved in options
            if one.nbytes + nbytes <= spare
        ]
        sets = _front(sets)
    return sets[-1]


def _front(sets: Iterable[_Set]) -> list[_Set]:
    """Sets that none beats in both, smallest first; of many every other one, and the last."""
    found: list[_Set] = []
    for one in sorted(sets, key=lambda one: (one.nbytes, -one.saved)):
        if not found or one.saved > found[-1].saved:
            found.append(one)
    while len(found) > _MOST_SETS:
        found = [*found[:-1:2], found[-1]]
    return found


def _placed(
    choice: Choice[Plan],
    more: Ways,
    aim: Aim,
    placer: Placer[Plan],
    better: Callable[[Plan, Plan], bool],
) -> Chosen:
    """The kernels that save most of those that make the plan better, alone and together."""
    chosen, program, open_ = choice.chosen, choice.placed.program, dict(more)
    for _ in range(_MOST_ROUNDS):
        taken = bought(chosen, open_, aim, program)
        if not taken or better(placer({**chosen, **taken}), choice.placed):
            return taken
        worse = [n for n, c in taken.items() if not better(placer({**chosen, n: c}), choice.placed)]
        if not worse:
            return _together(choice, taken, placer, better)
        for name in worse:
            open_[name] = tuple(c for c in open_[name] if c is not taken[name])
    return {}


def _together(
    choice: Choice[Plan], taken: Chosen, placer: Placer[Plan], better: Callable[[Plan, Plan], bool]
) -> Chosen:
    """Those that make the plan better one after the other."""
    kept: dict[str, Candidate] = {}
    placed = choice.placed
    for name, candidate in taken.items():
        trial = placer({**choice.chosen, **kept, name: candidate})
        if better(trial, placed):
            kept[name], placed = candidate, trial
    return kept
