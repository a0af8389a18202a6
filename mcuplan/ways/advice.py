# SPDX-License-Identifier: Apache-2.0
"""Ways to fit or to be faster: each one is planned, and its price stands in the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice, zip_longest

from mcuplan.budget import assess
from mcuplan.errors import McuplanError, Problems
from mcuplan.prove.loss import losses_of
from mcuplan.record import Advice, Budget, Comparison, Limits, Needs, Planned, Status, Way
from mcuplan.tradeoff import type_points
from mcuplan.ways.candidates import (
    Candidate,
    boards,
    calibrated,
    less_ram,
    made,
    options_alone,
    trained,
)

__all__ = ["Judge", "advised", "at_hand", "by_price"]

_HOPELESS = 4  # times its flash that a model needs
_BOARDS = 2  # that hold the model
_GAIN = 0.01  # share of RAM, flash or cycles that is worth a line


class Judge:
    """Makes plans of candidates and measures them against limits."""

    def __init__(self, planned: Planned, limits: Limits) -> None:
        """Measure the plan as it was asked for."""
        self.planned, self.limits = planned, limits
        self._losses: Comparison | None = None
        self.budget = assess(planned, limits)
        self.now = _way(self.budget, Candidate(planned.request, ()))

    @property
    def has_samples(self) -> bool:
        """Whether what outputs lose can be said."""
        seen = self.planned.calibration
        return seen is not None and not seen.data.random

    def ways(
        self, candidates: Iterable[Candidate], late: Callable[[], bool] = lambda: False
    ) -> Iterator[Way]:
        """The candidates that can be planned, as they are taken."""
        for candidate in candidates:
            if late():
                return
            found = self.way(candidate)
            if found is not None:
                yield found

    def way(self, candidate: Candidate) -> Way | None:
        """A candidate, planned; None: the model has no such plan."""
        try:
            planned = made(self.planned, candidate.request, self.limits)
        except (McuplanError, Problems):  # rows that cannot be fed, types that are not there
            return None
        loss = self._loss(planned) if candidate.needs is Needs.RECALIBRATION else None
        return _way(assess(planned, self.limits), candidate, loss)

    def _loss(self, planned: Planned) -> tuple[float, str] | None:
        """Percent that outputs are off, and what of them, where samples show it."""
        seen = self.planned.calibration
        if seen is None or planned.calibration is None or seen.data.random:
            return None
        if self._losses is None:
            self._losses = losses_of(self.planned)
        return round(self._losses.of(planned.judged), 4), self._losses.measure

    def types(self, late: Callable[[], bool]) -> Iterator[Way]:
        """Other types of some layers, the least sensitive first."""
        return (way for way, _ in self.typed(late))

    def typed(self, late: Callable[[], bool]) -> Iterator[tuple[Way, Candidate]]:
        """The same with what asks for them."""
        if not self.has_samples or self.planned.request.max_loss is not None or late():
            return
        for point, planned in type_points(self.planned, self.limits, late):
            if point.options:
                candidate = Candidate(planned.request, point.options, Needs.RECALIBRATION)
                budget = assess(planned, self.limits)
                yield _way(budget, candidate, (point.loss, point.measure)), candidate

    def gains(self, way: Way) -> bool:
        """Whether a way is worth a line: over budgets it is nearer to them, else it saves."""
        if self.now.fits:
            least = 1 - _GAIN
            saves = [
                way.ram_bytes < least * self.now.ram_bytes,
                way.flash_bytes < least * self.now.flash_bytes,
                way.cycles < least * self.now.cycles,
            ]
            return way.fits and any(saves)
        return way.fits or self.excess(way) < self.excess(self.now)

    def excess(self, way: Way) -> float:
        """How many times its budget a plan needs where it is over by most; 1 at the budget."""
        ram, flash = self.budget.ram.budget_bytes, self.budget.flash.budget_bytes
        shares = [way.ram_bytes / max(1, ram), way.flash_bytes / max(1, flash)]
        limit = self.limits.max_latency_s
        if limit is not None:
            clock = self.planned.request.target.clock_hz
            shares.append(way.cycles / (limit * clock))
        return max(shares)


def _way(budget: Budget, candidate: Candidate, loss: tuple[float, str] | None = None) -> Way:
    """What the report of a plan has of it."""
    return Way(
        options=candidate.options,
        needs=candidate.needs,
        ram_bytes=budget.ram.total_bytes,
        flash_bytes=budget.flash.total_bytes,
        cycles=budget.latency.cycles,
        fits=budget.verdict.status is Status.FITS,
        loss=loss[0] if loss else None,
        measure=loss[1] if loss else None,
    )


def by_price(judge: Judge, ways: Iterable[Way]) -> tuple[Way, ...]:
    """By what they need, then by what they give; none that another one beats for no more."""
    order, worth = list(Needs), [way for way in ways if judge.gains(way)]
    first = {_figures(way): way for way in reversed(worth)}
    kept = [way for way in first.values() if not any(_beats(other, way) for other in worth)]

    def price(way: Way) -> tuple[int, bool, float, int]:
        gives = way.cycles if way.fits else judge.excess(way)
        return order.index(way.needs), not way.fits, gives, way.ram_bytes

    return (judge.now, *sorted(kept, key=price))


def _figures(way: Way) -> tuple[Needs, int, int, int, float | None]:
    """What two ways may have in common."""
    return way.needs, way.ram_bytes, way.flash_bytes, way.cycles, way.loss


def _beats(other: Way, way: Way) -> bool:
    """Whether another way is as good in everything, what outputs lose as well.

    That is known of options alone, and where samples show it: a larger model may answer better.
    """
    order = list(Needs)
    known = other.needs is Needs.NOTHING or None not in (other.loss, way.loss)
    if not known or order.index(other.needs) > order.index(way.needs):
        return False
    a, b = ((w.ram_bytes, w.flash_bytes, w.cycles) for w in (other, way))
    lost = (other.loss or 0.0) <= (way.loss or 0.0)
    better = all(x <= y for x, y in zip(a, b, strict=True)) and (a != b or other.loss != way.loss)
    return lost and better and other.fits >= way.fits


def at_hand(planned: Planned, limits: Limits) -> Advice | None:
    """The few ways that every report over a budget has: options alone, until one fits.

    None with little effort.
    """
    if planned.request.effort == "fast":
        return None
    judge = Judge(planned, limits)
    ram, flash = judge.budget.ram, judge.budget.flash
    if judge.now.fits or flash.total_bytes > _HOPELESS * flash.budget_bytes:
        return None
    found: list[Way] = []
    codes = {finding.code for finding in judge.budget.verdict.findings}
    if "ram/over-budget" in codes:
        for way in _less_ram(judge):
            found.append(way)
            if way.ram_bytes <= ram.budget_bytes and (way.fits or codes - {"ram/over-budget"}):
                break
    start = Candidate(planned.request, ())
    if "flash/over-budget" in codes and planned.request.objective != "flash":
        found += judge.ways([start.changed(objective="flash")])
    slow = {"latency/over-budget", "latency/row-over-budget"} & codes
    if slow and planned.request.objective != "latency":
        found += judge.ways([start.changed(objective="latency")])
    ways = by_price(judge, found)
    return Advice(ways) if len(ways) > 1 else None


def _less_ram(judge: Judge) -> Iterator[Way]:
    """The mildest first; of kernels alone just the leanest where not even these fit."""
    planned, budget = judge.planned, judge.budget.ram.budget_bytes
    asked = planned.request
    candidates = list(less_ram(planned))
    alone = [c for c in candidates if c.request == replace(asked, objective=c.request.objective)]
    last = alone[-1] if len(alone) > 1 else None
    leanest = None if last is None else judge.way(last)
    if leanest is not None and leanest.ram_bytes > budget:
        yield leanest
        candidates = [candidate for candidate in candidates if candidate not in alone]
    for candidate in candidates:
        way = leanest if candidate is last else judge.way(candidate)
        if way is not None:
            yield way


def advised(planned: Planned, limits: Limits, late: Callable[[], bool]) -> Advice:
    """Every way in the list that gives something, as far as there is time."""
    judge = Judge(planned, limits)
    parts = [
        judge.ways(options_alone(planned), late),
        judge.ways(calibrated(planned), late),
        judge.ways(trained(planned), late),
        judge.types(late),
    ]
    if not judge.now.fits and limits == replace(limits, max_ram=None, max_flash=None):
        parts.append(_held(judge, late))
    turns = zip_longest(*parts)  # some of each, where there is no time for all
    found = [way for turn in turns for way in turn if way is not None]
    return Advice(by_price(judge, found), complete=not late())


def _held(judge: Judge, late: Callable[[], bool]) -> Iterator[Way]:
    """The first boards that hold the model."""
    fitting = (way for way in judge.ways(boards(judge.planned), late) if way.fits)
    return islice(fitting, _BOARDS)
