# SPDX-License-Identifier: Apache-2.0
"""Looks for types of layers by what changes are expected to be worth, and plans each anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice

from mcuplan import pipeline
from mcuplan.budget.assess import layer_rows
from mcuplan.budget.footprint import flash_bill, ram_bill
from mcuplan.errors import McuplanError, Problems
from mcuplan.prove.loss import RELATIVE_ERROR, losses_of
from mcuplan.record import Evidence, Limits, Planned, TypePoint
from mcuplan.tradeoff.sensitivity import sensitivities
from mcuplan.tradeoff.space import AS_ASKED, Mix, Space

__all__ = ["Bounds", "Found", "Search", "bounds_of", "figures_of"]

_MIXED = 6  # plans of both fewer bits of weights and more of activations
_ALIKE = 1.05  # times the least loss that is no difference worth cycles
_STEPS = 8  # plans nearer and nearer to the limits
_CHANGES = 64  # that are expected to be worth it before a plan is made


@dataclass(frozen=True, slots=True)
class Found:
    """A plan with other types, what it loses and needs, and which layers these are."""

    point: TypePoint
    planned: Planned
    mix: Mix


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most of each that a plan may need, and lose; infinite where that is not limited.

    ``by_loss``: of plans within bounds that which loses least, or about as little and is fastest;
    else that of the least flash.
    """

    flash_bytes: float
    ram_bytes: float
    cycles: float
    loss: float
    by_loss: bool

    def holds(self, point: TypePoint) -> bool:
        """Whether a plan is within them."""
        return point.loss <= self.loss and self.fits(_figures(point))

    def fits(self, figures: Sequence[float]) -> bool:
        """The same of flash, RAM and cycles."""
        most = (self.flash_bytes, self.ram_bytes, self.cycles)
        return all(needed <= each for needed, each in zip(figures, most, strict=True))

    def best(self, points: Sequence[TypePoint]) -> TypePoint | None:
        """The plan to take; None: none is within bounds."""
        within = [point for point in points if self.holds(point)]
        if not within or not self.by_loss:
            return min(within, key=lambda p: (p.flash_bytes, p.loss, p.cycles), default=None)
        alike = _ALIKE * min(point.loss for point in within)
        near = [p for p in within if p.loss <= max(alike, 0.0)] or within
        return min(near, key=lambda p: (p.cycles, p.loss, p.flash_bytes))


def bounds_of(planned: Planned, limits: Limits, loss: float = math.inf) -> Bounds:
    """What the target has, or what was asked for."""
    flash, ram = flash_bill(planned.plan, limits, None), ram_bill(planned.plan, limits, None)
    latency, clock = limits.max_latency_s, planned.request.target.clock_hz
    most = math.inf if latency is None else latency * clock
    asked = (limits.max_flash, limits.max_ram, limits.max_latency_s) != (None,) * 3
    return Bounds(flash.budget_bytes, ram.budget_bytes, most, loss, by_loss=asked)


def figures_of(planned: Planned) -> tuple[int, int, int]:
    """Bytes of flash and RAM, and cycles."""
    plan, none = planned.plan, Limits()
    rows = layer_rows(plan, Evidence(), planned.removal)
    flash, ram = flash_bill(plan, none, None), ram_bill(plan, none, None)
    return flash.total_bytes, ram.total_bytes, sum(row.all_cycles for row in rows)


def _figures(point: TypePoint) -> tuple[int, int, int]:
    return point.flash_bytes, point.ram_bytes, point.cycles


class Search:
    """Plans of one model with other types of its layers.

    First some of each kind: fewer bits of weights, more of activations, both. Then, where there are
    limits, from the best within them along the changes that are expected to gain, with as many of
    these at once as are expected to stay within; half as many where the plan shows that they do
    not. A number of plans bounds it, so that equal models give equal answers.
    """

    def __init__(self, planned: Planned, limits: Limits, widen_to: float | None = None) -> None:
        """Compare with the float model what the plan as it was asked for loses.

        Args:
            planned: as it was asked for.
            limits: that plans are to keep.
            widen_to: percent that outputs may lose against the float model; activations take more
                bits, of as few layers as that needs, and nothing else changes. None: other types
                are compared by what they lose beyond what the plan as it was asked for does.
        """
        self._planned = planned
        self._losses = losses_of(planned)
        self.first = self._point(planned, ())
        allowed, lost = planned.request.max_loss, planned.trimmed.lost
        before = lost.before if lost else self.first.loss
        most = math.inf if allowed is None else before + allowed
        self.bounds = bounds_of(planned, limits, most)
        self.is_limited = self.bounds.by_loss or allowed is not None
        self._widens = widen_to is not None
        if widen_to is not None:
            self.bounds = replace(self.bounds, loss=widen_to, by_loss=False)
            self.is_limited = True
        self._seen: dict[Mix, TypePoint | None] = {AS_ASKED: self.first}

    def _point(self, planned: Planned, options: tuple[str, ...]) -> TypePoint:
        loss = round(self._losses.of(planned.removal.whole), 4)
        return TypePoint(loss, self._losses.measure, *figures_of(planned), options)

    def found(self, late: Callable[[], bool]) -> Iterator[Found]:
        """Plans as they are made; that as asked for is first."""
        yield Found(self.first, self._planned, AS_ASKED)
        if self._widens and self.bounds.holds(self.first):
            return
        space = Space(self._planned.request, sensitivities(self._planned))
        kinds = [*space.narrower(), *space.wider()]
        most = len(kinds) + _MIXED + (_STEPS if self.is_limited else 0)
        with self._planned.request.bar("planning other types", most) as tick:
            for mix in self._tried(space, kinds):
                if late():
                    return
                found = self._made(space, mix)
                if found is not None:
                    yield found
                tick(1)

    def _made(self, space: Space, mix: Mix) -> Found | None:
        request, options = space.asked(mix)
        self._seen[mix] = None
        with suppress(McuplanError, Problems):  # not there in this type, or not its neighbours
            planned = pipeline.plan(request)
            point = self._seen[mix] = self._point(planned, options)
            return Found(point, planned, mix)
        return None

    def _tried(self, space: Space, kinds: Sequence[Mix]) -> Iterator[Mix]:
        """What to plan; what was planned has a say in what is next."""
        if self._widens:
            yield from chain.from_iterable(map(self._fewest, space.chains()))
            return
        yield from kinds
        likely = (mix for mix in space.mixed() if mix not in self._seen and self._may_fit(mix))
        yield from islice(likely, _MIXED)
        for _ in range(_STEPS if self.is_limited else 0):
            mix = self._next(space)
            if mix is None:
                return
            yield mix

    def _fewest(self, mixes: Sequence[Mix]) -> Iterator[Mix]:
        """Of more and more layers, halved until the first that lose little enough are known."""
        low, high = 0, len(mixes)
        while low < high:
            middle = (low + high) // 2
            yield mixes[middle]
            point = self._seen[mixes[middle]]
            little = point is not None and point.loss <= self.bounds.loss
            low, high = (low, middle) if little else (middle + 1, high)

    def _may_fit(self, mix: Mix) -> bool:
        """Whether both kinds of changes, each as it was planned, stay within bounds together."""
        parts = [self._seen.get(replace(mix, narrow=frozenset()))]
        parts += [self._seen.get(replace(mix, narrow=frozenset(), lean=False))]
        wide = next((point for point in parts if point is not None), None)
        narrow = self._seen.get(Mix(mix.narrow))
        if wide is None or narrow is None:
            return False
        sums = [
            a + b - c for a, b, c in zip(*map(_figures, (narrow, wide, self.first)), strict=True)
        ]
        return not self.is_limited or self.bounds.fits((sums[0], 0, sums[2]))

    def _next(self, space: Space) -> Mix | None:
        """As far along the path of expected gains as no plan has shown to be too far."""
        points = {point: mix for mix, point in self._seen.items() if point is not None}
        best = self.bounds.best(list(points))
        if best is None:
            return None
        path = self._path(space, points[best], best)
        failed = next((index for index, mix in enumerate(path) if mix in self._seen), None)
        if failed is None:
            return path[-1] if path else None
        return path[failed // 2] if failed else None

    def _path(self, space: Space, mix: Mix, point: TypePoint) -> list[Mix]:
        """Changes one after the other, each expected to gain most and to stay within bounds."""
        path, rate = list[Mix](), self._cycles_per_mac(space)
        flash, cycles, error = point.flash_bytes, float(point.cycles), space.error(mix)
        most = math.inf
        if point.measure == RELATIVE_ERROR and point.loss > 0:
            most = (self.bounds.loss / point.loss) ** 2 * error
        while len(path) < _CHANGES:
            likely = []
            for each in space.neighbours(mix):
                needs = (
                    flash + _bytes(space, each) - _bytes(space, mix),
                    0.0,
                    cycles + rate * (_macs(space, each) - _macs(space, mix)),
                )
                erring = space.error(each)
                gain = error - erring if self.bounds.by_loss else flash - needs[0]
                if gain > 0 and erring <= most and self.bounds.fits(needs):
                    likely.append((gain, each, needs, erring))
            if not likely:
                break
            _, mix, needs, error = max(likely, key=lambda one: one[0])
            flash, cycles = int(needs[0]), needs[2]
            path.append(mix)
        return path

    def _cycles_per_mac(self, space: Space) -> float:
        """That become wider: as was seen where all of them are."""
        macs = sum(each.cost for each in space.more)
        wide = [p for m, p in self._seen.items() if m.every and not m.narrow and p is not None]
        return max(0.0, (wide[0].cycles - self.first.cycles) / macs) if wide and macs else 1.0


def _bytes(space: Space, mix: Mix) -> int:
    """Of flash beside that of the model as it was asked for."""
    return -sum(space.fewer[index].cost for index in mix.narrow)


def _macs(space: Space, mix: Mix) -> int:
    """That are wider."""
    wide = range(len(space.more)) if mix.every else mix.wide
    return sum(space.more[index].cost for index in wide)
