# SPDX-License-Identifier: Apache-2.0
"""Kernels of the least flash: exact over all sets of functions that steps may share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from mcuplan.price import kernel_size
from mcuplan.schedule.kernels.select import Chosen, Ways

__all__ = ["smallest"]

_HALF = 1.04  # times the flash that `flash` takes for half the cycles
_OF_FLASH = 0.8  # of what there is, for kernels that `flash` takes more for: the rest is not known
_MOST_EXACT = 12  # kernel functions that all sets are tried of


@dataclass(frozen=True, slots=True)
class _Option:
    """Kernels for some steps, the flash and the cycles that they take."""

    nbytes: int
    cycles: float
    chosen: Chosen


def smallest(ways: Ways, limit: int | None = None) -> Chosen:
    """Least code and constants; 4 % more for half the cycles, where the flash is not short.

    Exact over all sets of kernels, for each family of steps that may share some.
    """
    ways = _without_copies(ways)
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
            options.append(
                _Option(nbytes, sum(candidate.cycles for candidate in chosen.values()), chosen)
            )
    return _front(options)


def _cycles(chosen: Chosen) -> float:
    return sum(candidate.cycles for candidate in chosen.values())


def _least_of(nbytes: Sequence[int], indices: Sequence[int]) -> int:
    """The smallest, of equal ones the first."""
    return min(indices, key=lambda i: nbytes[i])


def _sets(functions: Sequence[str]) -> list[frozenset[str]]:
    """Sets of functions to try: all of them, or where there are too many the small ones."""
    most = len(functions) if len(functions) <= _MOST_EXACT else 3
    found = [frozenset(c) for n in range(1, most + 1) for c in combinations(functions, n)]
    return [*found, frozenset(functions)]


def _without_copies(ways: Ways) -> Ways:
    """Ways that keep no weights in RAM, of nodes that have others."""
    plain = {n: tuple(c for c in f if not c.step.kernel.staged) for n, f in ways.items()}
    return {name: plain[name] or found for name, found in ways.items()}
