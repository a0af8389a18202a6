# SPDX-License-Identifier: Apache-2.0
"""Flash that is to spare buys speed: kernels that keep a multiple of their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from mcuplan.facts import FlashSpent
from mcuplan.price import constants_of, kernel_size
from mcuplan.schedule.code import model_code
from mcuplan.schedule.kernels.choose import Choice, Placer
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.select import Candidate, Ways
from mcuplan.schedule.program import Program

__all__ = ["bought", "spend_flash", "spent"]

_SHARE = 8  # of the flash, that other objectives than latency spend: 1/8
_BESIDE = 16  # of the flash: 1/16 stays for tables of rows and gaps between constants
_WORTH = 0.95  # of its cycles, that a step may take at most with more flash
_MOST_TRIALS = 24


class _Placed(Protocol):
    @property
    def program(self) -> Program: ...


P = TypeVar("P", bound=_Placed)
Chosen = Mapping[str, Candidate]


@dataclass(frozen=True, slots=True)
class _Option:
    """A faster kernel of a step, and the bytes of flash that it takes beyond the one it has."""

    name: str
    candidate: Candidate
    nbytes: int
    saved: float  # cycles


def spend_flash(
    choice: Choice[P], more: Ways, aim: Aim, placer: Placer[P], better: Callable[[P, P], bool]
) -> Choice[P]:
    """The choice with faster kernels for the steps that save most for a byte of flash.

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
    taken = bought(chosen, more, aim, program)
    if taken and not better(placer({**chosen, **taken}), choice.placed):
        taken = _one_by_one(choice, more, _spare(program, aim), placer, better)
    if not taken:
        return choice
    now = {**chosen, **taken}
    fact = spent(program, placer(now).program, chosen, now)
    return Choice(now, placer.best(now), replace(choice.trade, flash=fact))


def spent(before: Program, after: Program, chosen: Chosen, now: Chosen) -> FlashSpent:
    """What some kernels of one program took more than those of another, and what they save."""
    changed = sum(now[name] is not candidate for name, candidate in chosen.items())
    cycles = [sum(c.cycles for c in found.values()) for found in (chosen, now)]
    nbytes = _flash_bytes(after) - _flash_bytes(before)
    return FlashSpent(changed, nbytes, 100 * (1 - cycles[1] / max(1.0, cycles[0])))


def _spare(program: Program, aim: Aim) -> int:
    """Bytes of flash that a program leaves, as far as the objective spends them."""
    limit = sum(region.usable_bytes for region in program.target.flash)
    if aim.flash_limit is not None:
        limit = min(limit, aim.flash_limit)
    left = limit - limit // _BESIDE - _flash_bytes(program)
    return left if aim.objective is Objective.LATENCY else min(left, limit // _SHARE)


def _flash_bytes(program: Program) -> int:
    """Constants, and code with its margin."""
    code = model_code(program, program.target)
    constants = (constants_of(step.kernel, step.signature).nbytes for step in program.steps)
    return sum(constants) + code.code_bytes + code.code_margin_bytes


def bought(chosen: Chosen, more: Ways, aim: Aim, program: Program) -> dict[str, Candidate]:
    """What saves most for a byte, as long as there are bytes beside those of a program."""
    taken: dict[str, Candidate] = {}
    spare = _spare(program, aim)
    while best := _best({**chosen, **taken}, more, spare):
        taken[best.name] = best.candidate
        spare -= best.nbytes
    return taken


def _best(chosen: Chosen, more: Ways, spare: int) -> _Option | None:
    """What saves most for a byte."""
    found = [option for option in _options(chosen, more) if option.nbytes <= spare]
    return max(found, key=lambda option: option.saved / max(1, option.nbytes), default=None)


def _options(chosen: Chosen, more: Ways) -> Iterator[_Option]:
    functions = {c.step.kernel.function for c in chosen.values()}
    for name, found in more.items():
        now = chosen[name]
        for candidate in found:
            if candidate.cycles <= _WORTH * now.cycles:
                nbytes = _constants(candidate) - _constants(now)
                kernel = candidate.step.kernel
                if kernel.function not in functions:
                    nbytes += 2 * kernel_size(kernel).code_bytes  # with its margin
                yield _Option(name, candidate, nbytes, now.cycles - candidate.cycles)


def _constants(candidate: Candidate) -> int:
    return constants_of(candidate.step.kernel, candidate.step.signature).nbytes


def _one_by_one(
    choice: Choice[P],
    more: Ways,
    spare: int,
    placer: Placer[P],
    better: Callable[[P, P], bool],
) -> dict[str, Candidate]:
    """Of what saves most for a byte that which makes the plan better, one after the other."""
    kept: dict[str, Candidate] = {}
    open_, placed = dict(more), choice.placed
    for _ in range(_MOST_TRIALS):
        best = _best({**choice.chosen, **kept}, open_, spare)
        if best is None:
            break
        trial = placer({**choice.chosen, **kept, best.name: best.candidate})
        if better(trial, placed):
            kept[best.name], placed = best.candidate, trial
            spare -= best.nbytes
        else:
            open_[best.name] = tuple(c for c in open_[best.name] if c is not best.candidate)
    return kept
