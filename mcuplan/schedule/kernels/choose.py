# SPDX-License-Identifier: Apache-2.0
"""One kernel for each step: least latency, flash or RAM, or the default between them.

Nothing here knows how plans are made: a callback places a choice of kernels, another says
how many bytes of arena that took.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Generic, TypeVar

from mcuplan.ir.op import Kernel
from mcuplan.plan_facts import Trade
from mcuplan.price import kernel_size
from mcuplan.schedule.kernels.objective import MORE_CYCLES, MOST_TIMES, Aim, Objective, ram_weight
from mcuplan.schedule.kernels.select import Candidate, Chosen, Ways, fastest_of
from mcuplan.schedule.overlap import shared_bytes
from mcuplan.schedule.program import Step

__all__ = ["Choice", "Placer", "choose", "faster_within", "kernels_of", "slower"]

P = TypeVar("P")

_MORE_ARENA = 1.05  # that the default objective may take
_HALF = 1.04  # times the flash that `flash` takes for half the cycles
_OF_FLASH = 0.8  # of what there is, for kernels that `flash` takes more for: the rest is not known
_SHARES = (1.01, 1.02, 1.04, 1.07, 1.1, 1.15, 1.2, 1.3, 1.5, 2.0)  # of the least arena, tried
_MOST_PLANS = 120  # of one choice; what is left open then stays with its leanest kernel
_MOST_STEPS = 12_000  # placed in all these plans together: fewer plans of large networks
_LEAST_PLANS = 3
_MOST_EXACT = 12  # kernel functions that all sets are tried of


@dataclass(frozen=True, slots=True)
class Choice(Generic[P]):
    """The kernels chosen, what became of them, and what was given up for what."""

    chosen: Chosen
    placed: P
    trade: Trade


def kernels_of(chosen: Chosen) -> tuple[Kernel, ...]:
    """The kernels of a choice, node by node."""
    return tuple(candidate.step.kernel for candidate in chosen.values())


@dataclass(slots=True)
class Placer(Generic[P]):
    """Places choices of kernels, each once.

    Attributes:
        place: makes a plan, or something that tells its arena.
        arena_bytes: of it; a little more than the least there is will do.
        finish: takes more time, for the last one.
        closer: takes more time, given the arena and a limit, if an arena within may be found.
    """

    place: Callable[[Chosen], P]
    arena_bytes: Callable[[P], int]
    finish: Callable[[Chosen], P] | None = None
    closer: Callable[[P, int, int], int] | None = None
    known: dict[tuple[Kernel, ...], P] = field(default_factory=dict)
    sizes: dict[tuple[Kernel, ...], int] = field(default_factory=dict)

    def __call__(self, chosen: Chosen) -> P:
        """What became of a choice."""
        key = kernels_of(chosen)
        if key not in self.known:
            self.known[key] = self.place(chosen)
        return self.known[key]

    def best(self, chosen: Chosen) -> P:
        """What becomes of a choice that stays."""
        if self.finish is not None:
            more = self.finish(chosen)
            if self.arena_bytes(more) <= self.size(chosen):
                self.known[kernels_of(chosen)] = more
                self.sizes.pop(kernels_of(chosen), None)
        return self(chosen)

    def size(self, chosen: Chosen) -> int:
        """Bytes of arena."""
        key = kernels_of(chosen)
        if key not in self.sizes:
            self.sizes[key] = self.arena_bytes(self(chosen))
        return self.sizes[key]

    def keeps(self, chosen: Chosen, limit: int) -> bool:
        """Whether the arena stays within a limit."""
        if self.size(chosen) > limit and self.closer is not None:
            self.sizes[kernels_of(chosen)] = self.closer(self(chosen), self.size(chosen), limit)
        return self.size(chosen) <= limit


def _open(ways: Ways) -> Ways:
    """Candidates that no other one of their step beats in both cycles and bytes."""
    return {name: tuple(_undominated(found)) for name, found in ways.items()}


def _undominated(found: Sequence[Candidate]) -> Iterator[Candidate]:
    """Of candidates, fastest first."""
    kept: list[Candidate] = []
    for candidate in found:
        if not any(_no_larger(other.step, candidate.step) for other in kept):
            kept.append(candidate)
            yield candidate


def _no_larger(step: Step, other: Step) -> bool:
    """Whether a kernel needs no more bytes than another one of the node, however it is called."""
    one, two = step.kernel, other.kernel
    alike = one.row_by_row >= two.row_by_row and one.tall <= two.tall
    places = set(step.inplace_inputs) >= set(other.inplace_inputs)
    return alike and places and step.scratch_bytes <= other.scratch_bytes


def choose(ways: Ways, aim: Aim, placer: Placer[P], room: int | None = None) -> Choice[P]:
    """The best choice of kernels for an objective.

    Args:
        ways: candidates of every node.
        aim: the objective, and the RAM there is.
        placer: makes a plan of a choice.
        room: bytes that the arena may take for latency; None: any.
    """
    fastest = fastest_of(ways)
    if aim.objective is Objective.FLASH:
        smallest = _smallest(_without_copies(ways), aim.flash_limit)
        saved = _flash(fastest) - _flash(smallest)
        trade = replace(slower(fastest, smallest), saved_bytes=saved, of_flash=True)
        return Choice(smallest, placer.best(smallest), trade)
    if aim.objective is Objective.LATENCY and (room is None or placer.keeps(fastest, room)):
        return Choice(fastest, placer.best(fastest), Trade(len(fastest)))
    ways = _open(ways)
    leanest = {name: min(found, key=_leanness) for name, found in ways.items()}
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


def _leanness(candidate: Candidate) -> tuple[int, float]:
    """Bytes that a step needs beside its inputs, then cycles."""
    step = candidate.step
    if step.inplace_inputs:
        return step.scratch_bytes, candidate.cycles
    shared, made = max(shared_bytes(step).values(), default=0), step.signature.output.nbytes
    return max(0, made - shared) + step.scratch_bytes, candidate.cycles


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


def _without_copies(ways: Ways) -> Ways:
    """Ways that keep no weights in RAM, of nodes that have others."""
    plain = {n: tuple(c for c in f if not c.step.kernel.staged) for n, f in ways.items()}
    return {name: plain[name] or found for name, found in ways.items()}


# -- flash ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Option:
    """Kernels for some steps, the flash and the cycles that they take."""

    nbytes: int
    cycles: float
    chosen: Chosen


def _smallest(ways: Ways, limit: int | None) -> Chosen:
    """Least code and constants; 4 % more for half the cycles, where the flash is not short.

    Exact over all sets of kernels, for each family of steps that may share some.
    """
    best = [_Option(0, 0.0, {})]
    for names in _families(ways):
        family = _options({name: ways[name] for name in names})
        joined = (
            _Option(a.nbytes + b.nbytes, a.cycles + b.cycles, {**a.chosen, **b.chosen})
            for a, b in product(best, family)
        )
        best = _front(joined)
    room = [one for one in best if limit is None or one.nbytes <= _OF_FLASH * limit]
    taken = min(room or best[:1], key=_flash_weight)
    return {name: taken.chosen[name] for name in ways}


def _flash_weight(option: _Option) -> float:
    """Equal where half the cycles have cost their worth in bytes."""
    return math.log(max(1, option.nbytes)) + math.log(_HALF) * math.log2(max(1.0, option.cycles))


def _front(options: Iterable[_Option]) -> list[_Option]:
    """Options that none beats in both, smallest first and fastest last."""
    found: list[_Option] = []
    for option in sorted(options, key=lambda option: (option.nbytes, option.cycles)):
        if not found or option.cycles < found[-1].cycles:
            found.append(option)
    return found


def _families(ways: Ways) -> list[list[str]]:
    """Nodes in groups that have no kernel function in common."""
    families: list[tuple[set[str], list[str]]] = []
    for name, found in ways.items():
        functions = {candidate.step.kernel.function for candidate in found}
        joined = [family for family in families if family[0] & functions]
        families = [family for family in families if not family[0] & functions]
        names = [n for family in joined for n in family[1]]
        families.append((functions.union(*(f[0] for f in joined)), [*names, name]))
    return [names for _, names in families]


def _options(ways: Ways) -> list[_Option]:
    """What steps take with each set of kernels: their smallest and their fastest ones of it."""
    kernels = {c.step.kernel.function: c.step.kernel for found in ways.values() for c in found}
    code = {name: kernel_size(kernel).code_bytes for name, kernel in kernels.items()}
    constants = {name: [c.constants_bytes for c in found] for name, found in ways.items()}
    options = []
    for allowed in _sets(sorted(kernels)):
        open_ = {
            name: [i for i, c in enumerate(found) if c.step.kernel.function in allowed]
            for name, found in ways.items()
        }
        if not all(open_.values()):
            continue
        own = sum(code[name] for name in allowed)
        for first in (False, True):
            picked = {
                n: ids[0] if first else _least_of(constants[n], ids) for n, ids in open_.items()
            }
            chosen = {name: ways[name][i] for name, i in picked.items()}
            nbytes = own + sum(constants[name][i] for name, i in picked.items())
            options.append(_Option(nbytes, _cycles(chosen), chosen))
    return _front(options)


def _least_of(nbytes: Sequence[int], indices: Sequence[int]) -> int:
    """The smallest, of equal ones the first."""
    return min(indices, key=lambda i: nbytes[i])


def _sets(functions: Sequence[str]) -> list[frozenset[str]]:
    """Sets of functions to try: all of them, or where there are too many the small ones."""
    most = len(functions) if len(functions) <= _MOST_EXACT else 3
    found = [frozenset(c) for n in range(1, most + 1) for c in combinations(functions, n)]
    return [*found, frozenset(functions)]


def _flash(chosen: Chosen) -> int:
    kernels = {c.step.kernel.function: c.step.kernel for c in chosen.values()}
    code = sum(kernel_size(kernel).code_bytes for kernel in kernels.values())
    return code + sum(candidate.constants_bytes for candidate in chosen.values())
