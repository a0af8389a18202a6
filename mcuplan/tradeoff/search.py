# SPDX-License-Identifier: Apache-2.0
"""Looks for types of layers by what changes are expected to be worth, and plans each anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from mcuplan import pipeline
from mcuplan.errors import McuplanError, Problems
from mcuplan.record import RELATIVE_ERROR, Limits, Planned, TypePoint
from mcuplan.solvers.packing import Packer
from mcuplan.tradeoff.bounds import Bounds, bounds_of, figures
from mcuplan.tradeoff.sensitivity import sensitivities
from mcuplan.tradeoff.sketch import Sketches
from mcuplan.tradeoff.space import AS_ASKED, Mix, Space

__all__ = ["Found", "Search", "undominated"]

_MIXED = 6  # of both fewer bits of weights and more of activations, that are sketched
_PLANS = 12  # of sketches that no other beats
_STEPS = 8  # plans nearer and nearer to the limits
_LOOKS = 3  # sketches for each of these
_CHANGES = 64  # that are expected to be worth it before a plan is made
_OFF = 1.1  # times what a sketch shows, that the plan may be better


@dataclass(frozen=True, slots=True)
class Found:
    """A plan with other types, what it loses and needs, and which layers these are."""

    point: TypePoint
    planned: Planned
    mix: Mix


@dataclass(frozen=True, slots=True)
class _Path:
    """Mixes one after the other, each expected to gain by one change more."""

    space: Space
    bounds: Bounds
    rate: float  # cycles of a multiply-accumulate that becomes wider
    mixes: list[Mix] = field(default_factory=list)

    def walk(self, mix: Mix, point: TypePoint) -> list[Mix]:
        """From a mix that was planned, within bounds."""
        flash, cycles, error = point.flash_bytes, float(point.cycles), self.space.error(mix)
        most = math.inf
        if point.measure == RELATIVE_ERROR and point.loss > 0:
            most = (self.bounds.loss / point.loss) ** 2 * error
        while len(self.mixes) < _CHANGES:
            likely = []
            for each in self.space.neighbours(mix):
                needs = self._needs(mix, each, flash, cycles)
                erring = self.space.error(each)
                gain = error - erring if self.bounds.by_loss else flash - needs[0]
                if gain > 0 and erring <= most and self.bounds.fits(needs):
                    likely.append((gain, each, needs, erring))
            if not likely:
                break
            _, mix, needs, error = max(likely, key=lambda one: one[0])
            flash, cycles = int(needs[0]), needs[2]
            self.mixes.append(mix)
        return self.mixes

    def _needs(self, mix: Mix, other: Mix, flash: int, cycles: float) -> tuple[float, float, float]:
        """Flash, RAM (not known) and cycles of another mix, by those of one."""
        before, after = (self.space.price(each) for each in (mix, other))
        wider = self.rate * (after.macs - before.macs)
        more = after.cycles - before.cycles
        return flash + before.saved_bytes - after.saved_bytes, 0.0, cycles + wider + more


class Search:
    """Plans of one model with other types of its layers.

    Some of each kind are sketched first: fewer bits of weights, more of activations, both; those
    that no other beats are planned. Then, where there are limits, from the best within them along
    the changes that are expected to gain, with as many of these at once as are expected to stay
    within; half as many where a sketch or the plan shows that they do not. A number of plans bounds
    it, so that equal models give equal answers.
    """

    def __init__(
        self,
        planned: Planned,
        limits: Limits,
        packer: Packer | None = None,
        *,
        for_flash: bool = False,
        widen_to: float | None = None,
    ) -> None:
        """Compare with the float model what the plan as it was asked for loses.

        Args:
            planned: as it was asked for.
            limits: of which plans are looked for.
            packer: knows what that plan placed.
            for_flash: of plans within limits that of the least flash, not of the least loss.
            widen_to: percent that outputs may lose against the float model; activations take more
                bits, of as few layers as that needs, and nothing else changes. None: other types
                are compared by what they lose beyond what the plan as it was asked for does.
        """
        self._planned, self._packer = planned, packer or Packer()
        self._sketches = Sketches(planned)
        self.first = self._sketches.point(planned, ())
        allowed, lost = planned.request.max_loss, planned.trimmed.lost
        before = lost.before if lost else self.first.loss
        most = math.inf if allowed is None else before + allowed
        self.bounds = bounds_of(planned, limits, most, for_flash=for_flash)
        self.is_limited = self.bounds.by_loss or allowed is not None
        self._widens = widen_to is not None
        if widen_to is not None:
            self.bounds = replace(self.bounds, loss=widen_to, by_loss=False)
            self.is_limited = True
        self._seen: dict[Mix, TypePoint | None] = {AS_ASKED: self.first}

    def found(self, late: Callable[[], bool]) -> Iterator[Found]:
        """Plans as they are made; that as asked for is first."""
        yield Found(self.first, self._planned, AS_ASKED)
        if self._widens and self.bounds.holds(self.first):
            return
        space = Space(self._planned.request, sensitivities(self._planned))
        mixes, most = self._tried(space, late)
        with self._planned.request.bar("planning other types", most) as tick:
            for mix in mixes:
                if late():
                    return
                found = self._made(space, mix)
                if found is not None:
                    yield found
                tick(1)

    def _tried(self, space: Space, late: Callable[[], bool]) -> tuple[Iterator[Mix], int]:
        """What to plan, and how many at most; what was planned has a say in what is next."""
        if self._widens:
            chains = list(space.chains())
            most = sum(len(each).bit_length() for each in chains)
            return chain.from_iterable(map(self._fewest, chains)), most
        worth = list(self._worth_planning(space, late))
        most = len(worth) + (_STEPS if self.is_limited else 0)
        return chain(worth, self._steps(space)), most

    def _made(self, space: Space, mix: Mix) -> Found | None:
        request, options = space.asked(mix)
        self._seen[mix] = None
        with suppress(McuplanError, Problems):  # not there in this type, or not its neighbours
            begun = pipeline.begin(request)
            planned = pipeline.plan_begun(begun, request.target, self._packer)
            point = self._seen[mix] = self._sketches.point(planned, options)
            return Found(point, planned, mix)
        return None

    def _fewest(self, mixes: Sequence[Mix]) -> Iterator[Mix]:
        """Of more and more layers, halved until the first that lose little enough are known."""
        low, high = 0, len(mixes)
        while low < high:
            middle = (low + high) // 2
            yield mixes[middle]
            point = self._seen[mixes[middle]]
            little = point is not None and point.loss <= self.bounds.loss
            low, high = (low, middle) if little else (middle + 1, high)

    def _worth_planning(self, space: Space, late: Callable[[], bool]) -> Iterator[Mix]:
        """What no other sketch beats, and may lose no more than is allowed; by flash."""
        kinds = [AS_ASKED, *space.narrower(), *space.wider(), *space.blocked()]
        known = dict[TypePoint, Mix]()
        with self._planned.request.bar("comparing other types", len(kinds) + _MIXED) as tick:
            for mix in self._kinds(space, kinds):
                if late():
                    return
                point = self._sketches.of(space, mix)
                if point is not None:
                    known.setdefault(point, mix)
                tick(1)
        most = _OFF * self.bounds.loss
        kept = [p for p in undominated(list(known)) if p.loss <= most and known[p] != AS_ASKED]
        count = min(_PLANS, len(kept))
        for index in range(count):
            yield known[kept[index * (len(kept) - 1) // max(1, count - 1)]]

    def _kinds(self, space: Space, kinds: Sequence[Mix]) -> Iterator[Mix]:
        """What to sketch; what was sketched has a say in what is next."""
        yield from kinds
        likely = (mix for mix in space.mixed() if mix not in kinds and self._may_fit(space, mix))
        yield from islice(likely, _MIXED)

    def _may_fit(self, space: Space, mix: Mix) -> bool:
        """Whether both kinds of changes, each as it was sketched, stay within bounds together."""
        parts = (replace(mix, narrow=frozenset(), lean=lean) for lean in (mix.lean, False))
        wide = next((p for p in (self._sketches.of(space, m) for m in parts) if p), None)
        narrow = self._sketches.of(space, Mix(mix.narrow))
        if wide is None or narrow is None:
            return False
        both = map(self._sketches.expected, (narrow, wide))
        sums = [a + b - c for a, b, c in zip(*both, figures(self.first), strict=True)]
        return not self.is_limited or self.bounds.fits((sums[0], 0, sums[2]))

    def _steps(self, space: Space) -> Iterator[Mix]:
        """Nearer and nearer to the limits; a sketch that is far from them is not planned."""
        planned = 0
        for _ in range(_LOOKS * _STEPS if self.is_limited else 0):
            mix = self._next(space)
            if mix is None or planned == _STEPS:
                return
            if self._is_likely(self._sketches.of(space, mix)):
                planned += 1
                yield mix
            else:
                self._seen[mix] = None

    def _is_likely(self, sketch: TypePoint | None) -> bool:
        """Whether the plan of a sketch may be within bounds."""
        if sketch is None or sketch.loss > _OFF * self.bounds.loss:
            return False
        return self.bounds.fits([each / _OFF for each in self._sketches.expected(sketch)])

    def _next(self, space: Space) -> Mix | None:
        """As far along the path of expected gains as no plan has shown to be too far."""
        points = {point: mix for mix, point in self._seen.items() if point is not None}
        best = self.bounds.best(list(points))
        if best is None:
            return None
        path = _Path(space, self.bounds, self._cycles_per_mac(space)).walk(points[best], best)
        failed = next((index for index, mix in enumerate(path) if mix in self._seen), None)
        if failed is None:
            return path[-1] if path else None
        return path[failed // 2] if failed else None

    def _cycles_per_mac(self, space: Space) -> float:
        """That become wider: as was seen where all of them are."""
        macs = sum(each.cost for each in space.more)
        every = (self._sketches.of(space, mix) for mix in space.wider() if mix.every)
        wide = next((point for point in every if point is not None), None)
        if wide is None or not macs:
            return 1.0
        return max(0.0, (self._sketches.expected(wide)[2] - self.first.cycles) / macs)


def undominated(points: Iterable[TypePoint]) -> list[TypePoint]:
    """Those that no other is as good as in everything, by flash; the first one always.

    Of several that are alike in everything the one that fewest options ask for.
    """
    every = list(points)

    def of(point: TypePoint) -> tuple[float, ...]:
        return point.loss, *figures(point)

    def is_beaten(point: TypePoint) -> bool:
        own = of(point)
        return any(
            all(a <= b for a, b in zip(of(other), own, strict=True)) and of(other) != own
            for other in every
        )

    kept = dict[tuple[float, ...], TypePoint]()
    for point in [*every[:1], *sorted(every[1:], key=lambda point: len(point.options))]:
        if point is every[0] or not is_beaten(point):
            kept.setdefault(of(point), point)
    return sorted(kept.values(), key=lambda point: (point.flash_bytes, point.loss))
