# SPDX-License-Identifier: Apache-2.0
"""Kernels of the least flash, and the fastest that a flash holds.

Looked for over sets of the functions that steps may share: all of them, where these are few.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from mcuplan.schedule.kernels.flash_price import FlashPrice
from mcuplan.schedule.kernels.select import Chosen, Ways, fastest_of

__all__ = ["fastest_within", "least_flash", "smallest"]

_HALF = 1.04  # times the flash that `flash` takes for half the cycles
_OF_FLASH = 0.8  # of what there is, for kernels that `flash` takes more for: the rest is not known
_MOST_EXACT = 12  # kernel functions that all sets are tried of
_SMALL_SETS = 3  # functions of a set, where there are more
_SPED_UP = 3  # choices that the flash holds, the fastest ones, with faster kernels of single steps


@dataclass(frozen=True, slots=True)
class _Option:
    """Kernels for some steps, the flash and the cycles that they take."""

    nbytes: float
    cycles: float
    chosen: Chosen


def smallest(ways: Ways, limit: int | None, price: FlashPrice) -> Chosen:
    """Least code and constants; 4 % more for half the cycles, where the flash is not short.

    Without copies of weights in RAM, unless flash does not hold what does without.
    """
    best = _front_of(_without_copies(ways), price)
    if limit is not None and best[0].nbytes > limit:
        best = _front_of(ways, price)
    room = [one for one in best if limit is None or one.nbytes <= _OF_FLASH * limit]
    taken = min(room or best[:1], key=_flash_weight)
    return {name: taken.chosen[name] for name in ways}


def least_flash(ways: Ways, price: FlashPrice) -> float:
    """Bytes of flash that the smallest kernels take together."""
    return _front_of(ways, price)[0].nbytes


def fastest_within(ways: Ways, limit: int, price: FlashPrice) -> Chosen | None:
    """Fast kernels that keep a limit of the flash together; None where none are known."""
    fastest = fastest_of(ways)
    if price.of(fastest) <= limit:
        return fastest
    held = [one.chosen for one in _front_of(ways, price) if one.nbytes <= limit]
    sped_up = (_sped_up(chosen, ways, limit, price) for chosen in held[-_SPED_UP:])
    found = min(sped_up, key=_cycles, default=None)
    return None if found is None else {name: found[name] for name in ways}


def _sped_up(chosen: Chosen, ways: Ways, limit: int, price: FlashPrice) -> Chosen:
    """A choice with faster kernels of single steps, as many as the limit allows."""
    faster = [
        (chosen[name].cycles - way.cycles, name, way)
        for name, found in ways.items()
        for way in found
        if way.cycles < chosen[name].cycles
    ]
    for _, name, way in sorted(faster, key=lambda one: one[:2], reverse=True):
        trial = {**chosen, name: way}
        if way.cycles < chosen[name].cycles and price.of(trial) <= limit:
            chosen = trial
    return chosen


def _front_of(ways: Ways, price: FlashPrice) -> list[_Option]:
    """Choices for all steps that none beats in both flash and cycles, smallest first.

    Exact over all sets of kernels, for each family of steps that may share some.
    """
    best = [_Option(price.beside, 0.0, {})]
    for names in _families(ways):
        family = _front(_options({name: ways[name] for name in names}, price))
        best = _front(
            _Option(a.nbytes + b.nbytes, a.cycles + b.cycles, {**a.chosen, **b.chosen})
            for a, b in product(best, family)
        )
    return best


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


def _options(ways: Ways, price: FlashPrice) -> Iterator[_Option]:
    """What steps take with each set of kernels: their smallest and their fastest ones of it."""
    kernels = {c.step.kernel.function: c.step.kernel for found in ways.values() for c in found}
    sizes = {name: [price.of_step(c) for c in found] for name, found in ways.items()}
    options = _Options(ways, sizes, price)
    if len(kernels) <= _MOST_EXACT:
        for count in range(1, len(kernels) + 1):
            for allowed in combinations(sorted(kernels), count):
                yield from options.of(frozenset(allowed))
        return
    for count in range(1, _SMALL_SETS + 1):
        for allowed in combinations(sorted(kernels), count):
            yield from options.of(frozenset(allowed))
    yield from options.fewer(frozenset(kernels))


@dataclass(frozen=True, slots=True)
class _Options:
    """Choices of some steps from sets of functions; ``sizes``: bytes of each way beside code."""

    ways: Ways
    sizes: Mapping[str, Sequence[float]]
    price: FlashPrice

    def of(self, allowed: frozenset[str]) -> Iterator[_Option]:
        """The smallest and the fastest kernels of a set; none where some step has no kernel."""
        open_ = {
            name: [i for i, c in enumerate(found) if c.step.kernel.function in allowed]
            for name, found in self.ways.items()
        }
        if not all(open_.values()):
            return
        yield self._picked({name: _least_of(self.sizes[name], ids) for name, ids in open_.items()})
        yield self._picked({name: ids[0] for name, ids in open_.items()})

    def fewer(self, allowed: frozenset[str]) -> Iterator[_Option]:
        """Of a set, and of fewer and fewer functions of it: those left out that save most."""
        found = list(self.of(allowed))
        while found:
            yield from found
            sets = [allowed - {name} for name in sorted(allowed)]
            tried = [(one, list(self.of(one))) for one in sets]
            allowed, found = min(tried, key=_least_bytes, default=(allowed, []))

    def _picked(self, picked: Mapping[str, int]) -> _Option:
        chosen = {name: self.ways[name][i] for name, i in picked.items()}
        code = self.price.of_kernels(c.step.kernel for c in chosen.values())
        nbytes = code + sum(self.sizes[name][i] for name, i in picked.items())
        return _Option(nbytes, _cycles(chosen), chosen)


def _least_bytes(tried: tuple[frozenset[str], list[_Option]]) -> float:
    return min((option.nbytes for option in tried[1]), default=math.inf)


def _cycles(chosen: Chosen) -> float:
    return sum(candidate.cycles for candidate in chosen.values())


def _least_of(nbytes: Sequence[float], indices: Sequence[int]) -> int:
    """The smallest, of equal ones the first."""
    return min(indices, key=lambda i: nbytes[i])


def _without_copies(ways: Ways) -> Ways:
    """Ways that keep no weights in RAM, of nodes that have others."""
    plain = {n: tuple(c for c in f if not c.step.kernel.staged) for n, f in ways.items()}
    return {name: plain[name] or found for name, found in ways.items()}
