# SPDX-License-Identifier: Apache-2.0
"""Kernels by the flash that they take together, of those that RAM has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from mcuplan.price import kernel_size
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.placer import Placer, leanness, no_larger
from mcuplan.schedule.kernels.select import Candidate, Chosen, Ways
from mcuplan.schedule.kernels.smallest import fastest_within, smallest

__all__ = ["held_by_flash"]

P = TypeVar("P")
_Pick = Callable[[Ways], Chosen | None]


def held_by_flash(
    ways: Ways, fastest: Chosen, aim: Aim, placer: Placer[P], room: int | None
) -> Chosen | None:
    """Kernels of the least flash; for latency the fastest that it holds, where it is short.

    None where another objective counts, flash is not short, or it holds none that RAM holds, too.

    Args:
        ways: candidates of every node.
        fastest: of each of them.
        aim: the objective, and the flash there is.
        placer: says what choices take of the RAM, and of the flash.
        room: bytes of RAM; None: any.
    """
    limit, price = None, placer.price
    if aim.flash_limit is not None:
        limit = aim.flash_limit - aim.flash_beside
    if aim.objective is Objective.FLASH:
        held = _in_room(ways, lambda open_: smallest(open_, limit, price), placer, room, price.of)
        return held or smallest(ways, limit, price)
    if aim.objective is not Objective.LATENCY or limit is None or price.of(fastest) <= limit:
        return None
    return _in_room(ways, lambda open_: fastest_within(open_, limit, price), placer, room, _cycles)


def _in_room(
    ways: Ways,
    pick: _Pick,
    placer: Placer[P],
    room: int | None,
    cost: Callable[[Chosen], float],
) -> Chosen | None:
    """The best choice that is picked of ways that RAM has room for; None: there is none."""
    chosen = pick(ways)
    if room is None or chosen is None or placer.keeps(chosen, room):
        return chosen
    found = (_beside_leanest(each, pick, placer, room) for each in _by_stack(ways))
    return min((one for one in found if one is not None), key=cost, default=None)


def _by_stack(ways: Ways) -> Iterator[Ways]:
    """All ways, and those that take less and less stack."""
    sizes = {kernel_size(c.step.kernel).stack_bytes for found in ways.values() for c in found}
    for most in sorted(sizes, reverse=True):
        within = {
            name: tuple(c for c in found if kernel_size(c.step.kernel).stack_bytes <= most)
            for name, found in ways.items()
        }
        if not all(within.values()):
            return
        yield within


def _beside_leanest(ways: Ways, pick: _Pick, placer: Placer[P], room: int) -> Chosen | None:
    """What is picked of the ways to run each node that there is room for; None: there is none.

    Left out are those that break it beside the leanest of all other nodes, with all that need
    no less; where some do that only together, the one of most scratch.
    """
    leanest = {name: min(found, key=leanness) for name, found in ways.items()}
    chosen, open_ = pick(ways), dict(ways)
    if not placer.keeps(leanest, room):
        return None
    while chosen is not None and not placer.keeps(chosen, room):
        other = {name: way for name, way in chosen.items() if way is not leanest[name]}
        broken = [n for n, way in other.items() if not placer.keeps({**leanest, n: way}, room)]
        for name in broken or [max(other, key=lambda name: other[name].step.scratch_bytes)]:
            open_[name] = tuple(_smaller(open_[name], other[name], leanest[name]))
        chosen = pick(open_)
    return chosen


def _smaller(
    found: tuple[Candidate, ...], than: Candidate, least: Candidate
) -> Iterator[Candidate]:
    """Ways that may need less than one, and the leanest."""
    return (way for way in found if way is least or not no_larger(than.step, way.step))


def _cycles(chosen: Chosen) -> float:
    return sum(candidate.cycles for candidate in chosen.values())
