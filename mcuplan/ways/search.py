# SPDX-License-Identifier: Apache-2.0
"""A way to fit: options first, then other types, then other forms of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from mcuplan.errors import McuplanError, Problems
from mcuplan.importer import Form
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import DType
from mcuplan.passes.template import AS_IT_IS, templated
from mcuplan.record import Limits, Needs, Planned, Refuted, Status, Way
from mcuplan.units import format_bytes
from mcuplan.ways.advice import Judge
from mcuplan.ways.bounds import Bound, least_flash, least_ram
from mcuplan.ways.candidates import Candidate, calibrated, forms, options_alone, pixels

__all__ = ["Sought", "searched"]

_HOPELESS = 2  # times its flash: options alone are not tried on that


@dataclass(frozen=True, slots=True)
class Sought:
    """What was tried, in order, and what fits.

    Attributes:
        status: fits, over or unproven: there was no time for all.
        found: what was asked for when it fitted.
        tried: plans that were made.
        refuted: what needed no plan.
    """

    status: Status
    found: Candidate | None
    tried: tuple[Way, ...]
    refuted: tuple[Refuted, ...]


def searched(
    planned: Planned, limits: Limits, max_loss: float | None, late: Callable[[], bool]
) -> Sought:
    """The first way that fits, in the order of what it costs the user.

    Args:
        planned: as it was asked for, without any loss.
        limits: of the user.
        max_loss: percent that outputs may lose by other types and channels; None: any.
        late: whether there is no more time.
    """
    search = _Search(Judge(planned, limits), max_loss, late, [], [])
    found = search.first()
    status = Status.FITS if found else Status.UNPROVEN if late() else Status.OVER
    return Sought(status, found, tuple(search.tried), tuple(search.refuted))


@dataclass(frozen=True, slots=True)
class _Search:
    """Plans one after the other, each once, and bounds where they tell enough."""

    judge: Judge
    max_loss: float | None
    late: Callable[[], bool]
    tried: list[Way]
    refuted: list[Refuted]

    def first(self) -> Candidate | None:
        """The first candidate that fits."""
        self.tried.append(self.judge.now)
        start = Candidate(self.judge.planned.request, ())
        if self.judge.now.fits:
            return start
        plain = () if self._hopeless(start, self.judge.planned.lowered) else self._options()
        for candidate in chain(plain, self._others()):
            if self.late():
                return None
            if self._fits(candidate):
                return candidate
        return None

    def _fits(self, candidate: Candidate) -> bool:
        """Whether the plan of a candidate fits; one that cannot be made is none."""
        if any(way.options == candidate.options for way in self.tried):
            return False
        way = self.judge.way(candidate)
        if way is None:
            return False
        self.tried.append(way)
        lost = way.loss if self.max_loss is not None else None
        return way.fits and (lost is None or self.max_loss is None or lost <= self.max_loss)

    def _options(self) -> Iterator[Candidate]:
        """Options alone, as far as they have to do with what is over."""
        ram, flash, time = self._over(self.judge.now)
        planned = self.judge.planned
        for candidate in options_alone(planned):
            objective = candidate.request.objective
            wanted = {"latency": time, "flash": flash}.get(objective, ram or flash)
            if wanted:
                yield candidate
        yield from self._leads(Candidate(planned.request, ()), self.judge.now)

    def _others(self) -> Iterator[Candidate]:
        """What needs more than options: other types, then other forms, then both."""
        planned = self.judge.planned
        start = Candidate(planned.request, ())
        for candidate in self._retyped():  # with dead channels of its own: bounds say nothing
            yield from self._with_leads(candidate)
        if planned.request.template != AS_IT_IS:
            return
        shapes = [(start.templated(form), form) for form in forms(planned, together=True)]
        graphs = [(each, self._graph(form)) for each, form in shapes]
        known = [(each, graph) for each, graph in graphs if graph is not None]
        narrow = [(self._narrow(each), graph) for each, graph in known]
        for candidate, graph in chain(known, narrow if self._narrows() else ()):
            if not self._hopeless(candidate, graph):
                yield from self._with_leads(candidate)

    def _graph(self, form: Any) -> Graph | None:
        try:
            return templated(self.judge.planned.floating, form)
        except (McuplanError, Problems):
            return None

    def _narrows(self) -> bool:
        """Whether weights of a form may have 4 bits."""
        request = self.judge.planned.request
        plain = request.dtype is DType.INT8 and not request.weight_dtypes
        return plain and self.judge.planned.model.form is Form.FLOAT32

    def _narrow(self, candidate: Candidate) -> Candidate:
        """The candidate with weights of 4 bits."""
        request = replace(candidate.request, weight_dtypes={"": DType.INT4})
        return replace(
            candidate, request=request, options=(*candidate.options, "--weight-dtype int4")
        )

    def _retyped(self) -> Iterator[Candidate]:
        """Other types and fewer channels, as far as loss is allowed."""
        request = self.judge.planned.request
        if self.max_loss is not None:
            said = (f"--max-loss {self.max_loss:g}%",)
            asked = replace(request, max_loss=self.max_loss)
            yield Candidate(asked, said, Needs.RECALIBRATION)
            return
        for way, candidate in sorted(
            self.judge.typed(self.late), key=lambda each: each[0].loss or 0
        ):
            if way.fits:
                yield candidate
        yield from calibrated(self.judge.planned)

    def _with_leads(self, candidate: Candidate) -> Iterator[Candidate]:
        """A candidate, then with options that help where its own plan is over."""
        yield candidate
        own = next((way for way in self.tried if way.options == candidate.options), None)
        flash = self.judge.budget.flash.budget_bytes
        if own is not None and not own.fits and own.flash_bytes <= _HOPELESS * flash:
            yield from self._leads(candidate, own)

    def _leads(self, candidate: Candidate, own: Way) -> Iterator[Candidate]:
        """Options that help where a plan is over."""
        ram, flash, time = self._over(own)
        request = candidate.request
        least = "flash" if flash else "latency" if time else "ram=strict"
        mild = request.objective if ram and not flash and not time else least
        rows = pixels(self.judge.planned, candidate) or candidate
        if not ram:
            yield candidate.changed(objective=least)
            return
        for objective in dict.fromkeys((mild, least)):
            if request.streaming != "input":
                yield candidate.changed(streaming="input", objective=objective)
            yield rows.changed(streaming="input", objective=objective)

    def _over(self, way: Way) -> tuple[bool, bool, bool]:
        """Whether a way is over its RAM, its flash, its time; else one of its regions is."""
        budget, limit = self.judge.budget, self.judge.limits.max_latency_s
        flash = way.flash_bytes > budget.flash.budget_bytes
        clock = self.judge.planned.request.target.clock_hz
        time = limit is not None and way.cycles > limit * clock
        row = self.judge.limits.max_row_latency_s is not None
        ram = way.ram_bytes > budget.ram.budget_bytes or not (flash or time or row)
        return ram, flash, time or (row and not (ram or flash))

    def _hopeless(self, candidate: Candidate, graph: Graph) -> bool:
        """Whether no plan of a graph fits with any options; then the bound is kept."""
        bound = self._bound(candidate, graph)
        if bound:
            self.refuted.append(Refuted(candidate.options, candidate.needs, bound))
        return bool(bound)

    def _bound(self, candidate: Candidate, graph: Graph) -> str:
        request, budget = candidate.request, self.judge.budget
        narrow = DType.INT4 in request.weight_dtypes.values()
        typed = request.dtype if request.dtype is DType.FLOAT32 else DType.INT8
        flash = least_flash(graph, 4 if narrow else typed.bits)
        if flash.nbytes > budget.flash.budget_bytes:
            return _above(flash, "flash", budget.flash.budget_bytes)
        ram = least_ram(graph, typed, fed=True)
        if ram.nbytes > budget.ram.budget_bytes:
            return _above(ram, "RAM", budget.ram.budget_bytes)
        return ""


def _above(bound: Bound, what: str, budget: int) -> str:
    least, most = format_bytes(bound.nbytes), format_bytes(budget)
    return f"{bound.of}: {least} alone, more than the {most} of {what}"
