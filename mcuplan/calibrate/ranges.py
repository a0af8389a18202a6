# SPDX-License-Identifier: Apache-2.0
"""Ranges by the observers asked for; of several, by the one that errs least on other samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from mcuplan.calibrate.data import Data
from mcuplan.calibrate.extremes import Extremes
from mcuplan.calibrate.held_back import FEWEST, Judge, held_back
from mcuplan.calibrate.observe import ranges_of, seen_by
from mcuplan.errors import McuplanError, Problems, UsageError
from mcuplan.facts import RepairGain, Unrepaired
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array
from mcuplan.passes.assign_grids import one_grid
from mcuplan.progress import Bar, no_bar
from mcuplan.quant.histogram import Clipped
from mcuplan.quant.named_observers import AUTO, OBSERVERS, observer_named
from mcuplan.quant.observers import Observer, Range
from mcuplan.spelling import did_you_mean

__all__ = ["Calibrated", "Observers", "Trial", "calibrate"]

_OPTION = "--observer"

ToGrids = Callable[[Mapping[str, Range]], Graph]
"""The graph with a grid for each range."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Which observers, by their names: one for all tensors, others for some by name."""

    usual: str = "minmax"
    named: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """An observer, and what its ranges gave on the samples that were held back (see `Judge`)."""

    observer: str
    sqnr_db: float


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Samples, the ranges that they gave, and who set them.

    ``held_back``: samples that ranges were not observed on. ``trials``: in the order in which
    observers are preferred; none where none were compared.
    """

    data: Data
    ranges: Mapping[str, Range]
    observer: str
    held_back: int = 0
    trials: tuple[Trial, ...] = ()
    extremes: Mapping[str, Extremes] = field(default_factory=dict)
    repairs: tuple[RepairGain, ...] = ()  # that were tried, in order
    unrepaired: Unrepaired | None = None  # why none was

    @property
    def samples(self) -> int:
        """Samples that ranges were observed on."""
        return self.data.samples - self.held_back


def calibrate(
    graph: Graph,
    data: Data,
    wanted: Sequence[str],
    observers: Observers,
    to_grids: ToGrids,
    *,
    widen: bool = False,
    bar: Bar = no_bar,
) -> Calibrated:
    """Ranges of tensors over the samples.

    Args:
        graph: float, after the passes.
        data: the samples.
        wanted: tensors to observe.
        observers: which ones; ``AUTO``: the best.
        to_grids: what is compared where the observer is to be found.
        widen: give what samples to come are expected to need.
        bar: shows how far it is.

    Raises:
        UsageError, Problems: no tensor has a name that was asked for, or there are too few samples
            to hold some back.
        ScaleError: a tensor takes a value that is not finite.
    """
    named = _named(graph, observers.named)
    usual = tuple(OBSERVERS) if observers.usual == AUTO else (observers.usual,)
    held = _to_compare_on(graph, data) if observers.usual == AUTO else frozenset[int]()
    fresh = {name: _Seen.fresh((named[name],) if name in named else usual) for name in wanted}
    with bar("observing ranges", data.samples - len(held)) as tick:
        seen = seen_by(graph, data, fresh, lambda index: index not in held, tick)

    def ranges(observer: str) -> Mapping[str, Range]:
        found = {n: each.observers.get(observer) or each.only for n, each in seen.items()}
        return ranges_of(graph, found, widen=widen)

    trials: tuple[Trial, ...] = ()
    if observers.usual == AUTO:
        made = {name: to_grids(ranges(name)) for name in usual}
        judge = Judge(graph, data, held)
        with bar("comparing observers", judge.runs) as tick:
            found = judge.errors(made, tick)
        trials = tuple(Trial(name, found[name]) for name in usual)
    best = max(trials, key=lambda trial: trial.sqnr_db).observer if trials else observers.usual
    extremes = {name: each.extremes for name, each in seen.items()}
    return Calibrated(data, ranges(best), best, len(held), trials, MappingProxyType(extremes))


def _to_compare_on(graph: Graph, data: Data) -> frozenset[int]:
    """A fifth of the samples.

    Raises:
        UsageError: there are too few.
    """
    if data.samples < FEWEST:
        what = f"{data.samples} samples are too few to compare observers on some of them"
        raise UsageError(what, "--observer auto", f"give {FEWEST} or more, or name one")
    return held_back(graph, data.samples, 5)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Everything that is asked of one tensor; rules that clip share a histogram."""

    observers: Mapping[str, Observer]
    extremes: Extremes = field(default_factory=Extremes)

    @classmethod
    def fresh(cls, names: Iterable[str]) -> _Seen:
        return cls(MappingProxyType({name: observer_named(name) for name in names}))

    @property
    def only(self) -> Observer:
        return next(iter(self.observers.values()))

    def updated(self, values: Array) -> _Seen:
        """See Sees."""
        found: dict[str, Observer] = {}
        shared = None
        for name, each in self.observers.items():
            if isinstance(each, Clipped):
                shared = shared or each.histogram.updated(values)
                found[name] = replace(each, histogram=shared)
            else:
                found[name] = each.updated(values)
        return _Seen(MappingProxyType(found), self.extremes.updated(values))


def _named(graph: Graph, asked: Mapping[str, str]) -> Mapping[str, str]:
    """The observer of each tensor that was asked for by its name, or by that of its layer.

    Tensors that share a grid share it.
    """
    by_name: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes:
        by_name.setdefault(graph.node_name(node), node.outputs)
    for name, tensor in graph.tensors.items():
        if tensor.data is None:
            by_name[graph.tensor_name(name)] = (name,)
    by_name.update({port.name: (port.tensor,) for port in (*graph.inputs, *graph.outputs)})
    together = one_grid(graph)
    wrong: list[McuplanError] = []
    found: dict[str, str] = {}
    for name, observer in asked.items():
        if name not in by_name:
            hint = did_you_mean(name, by_name)
            wrong.append(UsageError(f"no tensor or layer named {name!r}", _OPTION, hint))
            continue
        for own in by_name[name]:
            others = {found.setdefault(each, observer) for each in together.get(own, ())}
            if others - {observer}:
                what = f"{name!r} lies on a grid with tensors that have another observer"
                wrong.append(UsageError(what, _OPTION, "name one of them"))
    Problems.raise_if_any(wrong)
    return found
