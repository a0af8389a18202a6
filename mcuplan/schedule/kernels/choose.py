# SPDX-License-Identifier: Apache-2.0
"""One kernel for each step: least latency, flash or RAM, or the default between them.

Nothing here knows how plans are made: a callback places a choice of kernels, another says
how many bytes of arena that took.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from mcuplan.plan_facts import Trade
from mcuplan.price import kernel_size
from mcuplan.schedule.kernels.in_flash import held_by_flash
from mcuplan.schedule.kernels.objective import MORE_CYCLES, MOST_TIMES, Aim, Objective, ram_weight
from mcuplan.schedule.kernels.placer import Placer, leanness, no_larger
from mcuplan.schedule.kernels.select import Candidate, Chosen, Ways, fastest_of

__all__ = ["Choice", "choose", "faster_within", "slower"]

P = TypeVar("P")

_MORE_ARENA = 1.05  # that the default objective may take
_SHARES = (1.01, 1.02, 1.04, 1.07, 1.1, 1.15, 1.2, 1.3, 1.5, 2.0)  # of the least arena, tried
_MOST_PLANS = 120  # of one choice; what is left open then stays with its leanest kernel
_MOST_STEPS = 12_000  # placed in all these plans together: fewer plans of large networks
_LEAST_PLANS = 3


@dataclass(frozen=True, slots=True)
class Choice(Generic[P]):
    """The kernels chosen, what became of them, and what was given up for what."""

    chosen: Chosen
    placed: P
    trade: Trade


def _open(ways: Ways) -> Ways:
    """Candidates that no other one of their step beats in both cycles and bytes."""
    return {name: tuple(_undominated(found)) for name, found in ways.items()}


def _undominated(found: Sequence[Candidate]) -> Iterator[Candidate]:
    """Of candidates, fastest first."""
    kept: list[Candidate] = []
    for candidate in found:
        if not any(no_larger(other.step, candidate.step) for other in kept):
            kept.append(candidate)
            yield candidate


def choose(ways: Ways, aim: Aim, placer: Placer[P], room: int | None = None) -> Choice[P]:
    """The best choice of kernels for an objective.

    Args:
        ways: candidates of every node.
        aim: the objective, and the RAM there is.
        placer: makes a plan of a choice.
        room: bytes that the arena may take for latency and flash; None: any.
    """
    fastest = fastest_of(ways)
    held = held_by_flash(ways, fastest, aim, placer, room)
    if held is not None:
        trade = slower(fastest, held)
        if aim.objective is Objective.FLASH:
            trade = replace(trade, saved_bytes=_flash(fastest) - _flash(held), of_flash=True)
        return Choice(held, placer.best(held), trade)
    if aim.objective is Objective.LATENCY and (room is None or placer.keeps(fastest, room)):
        return Choice(fastest, placer.best(fastest), Trade(len(fastest)))
    ways = _open(ways)
    leanest = {name: min(found, key=leanness) for name, found in ways.items()}
    search = _Search(ways, fastest, leanest, placer)
    if aim.objective is Objective.LATENCY:
        assert room is not None, "that the fastest kernels do not keep"
        chosen = search.within(room)
        return Choice(chosen, placer.best(chosen), slower(fastest, chosen))
    wanted, other = leanest, fastest  # the first one placed is the one with the best order
    if aim.objective is Objective.BALANCED:
        wanted, other = other, wanted
    least = min(placer.size(wanted), placer.size(other))
    if aim.objective is Objective.RAM_STRICT:
        chosen = search.within(least)
    elif aim.objective is Objective.RAM:
        chosen = _lean(search, least)
    else:
        chosen = _balanced(search, fastest, least)
    placed = placer.best(chosen)
    trade = replace(
        slower(fastest, chosen),
        saved_bytes=placer.size(fastest) - placer.size(chosen),
        least_arena=least,
        above_least=100 * (placer.size(chosen) / max(1, least) - 1),
        at_a_rate=aim.objective is Objective.RAM,
    )
    return Choice(chosen, placed, trade)


def faster_within(chosen: Chosen, ways: Ways, placer: Placer[P], limit: int) -> Chosen:
    """A choice with faster kernels for as many steps as a limit of the arena allows."""
    fastest = {
        name: found[0] if found[0].cycles < chosen[name].cycles else chosen[name]
        for name, found in ways.items()
    }
    return _Search(_open(ways), fastest, chosen, placer).within(limit)


def slower(fastest: Chosen, chosen: Chosen) -> Trade:
    """How many steps do not run their fastest kernel, and what that costs."""
    changed = sum(chosen[name] is not candidate for name, candidate in fastest.items())
    more = 100 * (_cycles(chosen) / max(1.0, _cycles(fastest)) - 1) if changed else 0.0
    return Trade(len(fastest), changed, more)


def _lean(search: _Search[P], least: int) -> Chosen:
    """Little arena, as far as the last bytes are worth their cycles.

    A percent of arena is worth some percents of cycles, and all of it together no more than
    so many times the cycles of the fastest kernels. Between the least arena and that of the
    fastest kernels some sizes are tried, as long as they may be worth it.
    """
    fastest, best = search.fastest, search.within(least)
    fewest = _cycles(fastest)

    def priced(chosen: Chosen) -> tuple[bool, float]:
        cycles = _cycles(chosen)
        return cycles > MOST_TIMES * fewest, ram_weight(search.placer.size(chosen), cycles)

    for share in _SHARES:
        over, _ = priced(best)
        if not over and ram_weight(1, _cycles(best)) <= ram_weight(share, fewest):
            break  # nothing that large can be worth more
        best = min(best, search.within(int(share * least)), key=priced)
    return min(best, fastest, key=priced)


def _balanced(search: _Search[P], fastest: Chosen, least: int) -> Chosen:
    """Within 5 % of the least arena and 15 % of the least cycles; if need be, more arena."""
    enough = MORE_CYCLES * _cycles(fastest)
    low, high = int(_MORE_ARENA * least), search.placer.size(fastest)
    chosen = search.within(low)
    if _cycles(chosen) <= enough:
        return chosen
    best = fastest
    while high - low > max(64, least // 50):
        middle = (low + high) // 2
        trial = search.within(middle)
        if _cycles(trial) <= enough:
            best, high = trial, min(middle, search.placer.size(trial))
        else:
            low = middle
    return best


def _cycles(chosen: Chosen) -> float:
    return sum(candidate.cycles for candidate in chosen.values())


def _held(candidate: Candidate) -> int:
    """Bytes of a step on its own."""
    signature = candidate.step.signature
    inputs = zip(signature.inputs, signature.constants, strict=True)
    active = sum(kind.nbytes for kind, value in inputs if value is None)
    return active + signature.output.nbytes + candidate.step.scratch_bytes


@dataclass(slots=True)
class _Search(Generic[P]):
    ways: Ways
    fastest: Chosen
    leanest: Chosen
    placer: Placer[P]
    before: int = field(init=False)  # plans that others asked for

    def __post_init__(self) -> None:
        self.before = len(self.placer.known)

    def within(self, limit: int) -> Chosen:
        """Fast kernels wherever the arena stays within a limit that the leanest ones keep.

        Starts from the leanest kernels and takes the fastest for as many steps at once as
        the limit allows, those that hold the fewest bytes first.
        """
        if self.placer.keeps(self.fastest, limit):
            return self.fastest
        differ = [n for n, c in self.fastest.items() if self.leanest[n] is not c]
        differ.sort(key=lambda name: _held(self.fastest[name]))
        return self._faster(dict(self.leanest), differ, limit)

    def _faster(self, chosen: Chosen, names: Sequence[str], limit: int) -> Chosen:
        most = min(_MOST_PLANS, max(_LEAST_PLANS, _MOST_STEPS // max(1, len(self.ways))))
        if not names or len(self.placer.known) - self.before > most:
            return chosen
        trial = {**chosen, **{name: self.fastest[name] for name in names}}
        if self.placer.keeps(trial, limit):
            return trial
        if len(names) == 1:
            return self._between(chosen, names[0], limit)
        half = len(names) // 2
        chosen = self._faster(chosen, names[:half], limit)
        return self._faster(chosen, names[half:], limit)

    def _between(self, chosen: Chosen, name: str, limit: int) -> Chosen:
        """The fastest kernel of one step that keeps the limit."""
        for candidate in self.ways[name][1:]:
            if candidate.cycles >= chosen[name].cycles:
                break
            trial = {**chosen, name: candidate}
            if self.placer.keeps(trial, limit):
                return trial
        return chosen


def _flash(chosen: Chosen) -> int:
    kernels = {c.step.kernel.function: c.step.kernel for c in chosen.values()}
    code = sum(kernel_size(kernel).code_bytes for kernel in kernels.values())
    return code + sum(candidate.constants_bytes for candidate in chosen.values())
