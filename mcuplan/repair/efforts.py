# SPDX-License-Identifier: Apache-2.0
"""Kinds of repair one after the other; each is kept where outputs of other samples gain by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from mcuplan.calibrate import Calibrated, Data
from mcuplan.calibrate.held_back import FEWEST, Judge, held_back
from mcuplan.errors import ToolFailed
from mcuplan.facts import RepairGain, RepairKind, Unrepaired
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array
from mcuplan.passes.absorb_biases import absorb_biases
from mcuplan.passes.assign_grids import Grids
from mcuplan.passes.equalize import Reach, equalize
from mcuplan.passes.merge_layers import merge_layers
from mcuplan.progress import Bar, no_bar
from mcuplan.quant.observers import Range
from mcuplan.repair.narrow import narrowed
from mcuplan.repair.refit import refit, refittable, samples_at_once

__all__ = ["EFFORTS", "Recipe", "Repaired", "Tools", "kinds_of", "repair", "repaired_alike"]

_ENOUGH_DB = {8: 38.0, 16: 86.0}
"""By bits what rounding the outputs alone leaves, nearly: closer is no closer to other samples."""

_LEAST_GAIN_DB = 0.25
"""Less is chance: the samples held back are few."""

_LEAST_OF_RANGES_DB = 1.0
"""What is cut off is cut off of samples to come, too."""

_REACHES = (
    Reach(2.0, 1.0),
    Reach(1.25, joint=True),
    *(Reach(m, s) for s in (0.25, 0.05) for m in (1.25, 1.05)),
)
"""Of equalization: what any sample can bear, then what those seen can."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the pipeline does to a graph: ranges over the samples, and grids for ranges.

    ``ranged``: those grids alone, constants as they are.
    """

    ranges: Callable[[Graph], Calibrated]
    grids: Callable[[Graph, Mapping[str, Range]], Grids]
    ranged: Callable[[Graph, Mapping[str, Range]], Graph]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done to a model: one change at a time is tried."""

    merged: bool = False  # layers whose outputs are added or subtracted
    reach: Reach | None = None  # of equalization; None: channels stay
    absorbed: bool = False  # biases of channels that stay away from 0
    ranges: Mapping[str, Range] = field(default_factory=dict)  # in place of those observed
    biases: bool = False
    rounding: bool = False  # and biases


@dataclass(frozen=True, slots=True)
class Repaired:
    """A model on grids, and the float graph that it is compared with.

    ``graph`` computes what the model computes; channels may be multiplied by factors.
    """

    graph: Graph
    calibrated: Calibrated | None  # None: the grids come from elsewhere
    grids: Grids
    recipe: Recipe | None = None  # what was done; None: nothing was tried


class _Bench:
    """Makes models by recipes from some samples, and judges them by others."""

    def __init__(
        self, first: Repaired, data: Data, tools: Tools, kinds: Sequence[RepairKind]
    ) -> None:
        self.may_round = RepairKind.ROUNDING in kinds
        self._first, self._data, self._tools = first, data, tools
        self.held = _to_judge_by(first.graph, data.samples)
        every = range(data.samples)
        self.fitted = tuple(i for i in every if i not in self.held) or tuple(every)
        self._judge = Judge(first.graph, data, self.held)
        seen = first.calibrated.extremes if first.calibrated is not None else {}
        self._most = {name: np.maximum(each.highs, -each.lows) for name, each in seen.items()}

    @property
    def graph(self) -> Graph:
        """The float model."""
        return self._first.graph

    @property
    def is_limited(self) -> bool:
        """Whether a layer has limits that are neither 0 nor infinite."""
        ends = (end for node in self.graph.nodes for end in (node.op.clamp or node.op.act))
        return any(end != 0.0 and not math.isinf(end) for end in ends)

    def error(self, made: Repaired) -> float:
        """Signal to noise of the outputs of a typical sample held back, in dB."""
        return self._judge.errors({"": made.grids.graph})[""]

    def make(self, recipe: Recipe, *, all_samples: bool = False) -> Repaired:
        """A model by a recipe."""
        found = self.equalized(recipe)
        if recipe.ranges:
            found = replace(found, grids=self._tools.grids(found.graph, recipe.ranges))
        if not (recipe.biases or recipe.rounding):
            return found
        chosen = range(self._data.samples) if all_samples else self.fitted
        feeds = _feeds(found.graph, self._data, chosen)
        if feeds is None:
            return found
        graph = refit(found.graph, found.grids.graph, feeds, rounding=recipe.rounding)
        return replace(found, grids=replace(found.grids, graph=graph))

    def equalized(self, recipe: Recipe) -> Repaired:
        """The model as a recipe rewrites it in float, observed anew where it does."""
        graph = merge_layers(self._first.graph) if recipe.merged else self._first.graph
        if recipe.reach is not None:
            graph = equalize(graph, self._most, recipe.reach)
        found = self._first if graph is self._first.graph else self._observed(graph)
        if not recipe.absorbed:
            return found
        graph = self.absorbed(found)
        return found if graph is found.graph else self._observed(graph)

    def absorbed(self, found: Repaired) -> Graph:
        """The float model with biases that stay away from 0 in those of their readers."""
        extremes = found.calibrated.extremes if found.calibrated is not None else {}
        seen = {name: (each.least, each.most) for name, each in extremes.items()}
        return absorb_biases(found.graph, seen)

    def _observed(self, graph: Graph) -> Repaired:
        calibrated = self._tools.ranges(graph)
        return Repaired(graph, calibrated, self._tools.grids(graph, calibrated.ranges))

    def narrowed(self, recipe: Recipe) -> Mapping[str, Range]:
        """Ranges in place of those observed."""
        found, tools = self.equalized(recipe), self._tools
        if found.calibrated is None:
            return {}
        return narrowed(
            found.graph,
            found.calibrated.ranges,
            lambda ranges: tools.ranged(found.graph, ranges),
            self._data,
            self.fitted,
        )


def _enough(grids: Graph) -> float:
    kinds = [grids.tensor(port.tensor).type.quant for port in grids.outputs]
    return max(_ENOUGH_DB[16 if q is not None and q.dtype.bits == 16 else 8] for q in kinds)


def _to_judge_by(graph: Graph, samples: int) -> frozenset[int]:
    """Half of the samples; of very few all.

    Half, as gains are small beside what samples differ by; layers are fitted on pixels, of which
    there are enough.
    """
    return frozenset(range(samples)) if samples < FEWEST else held_back(graph, samples, 2)


def _feeds(graph: Graph, data: Data, samples: range | tuple[int, ...]) -> dict[str, Array] | None:
    """Samples in the layout of our tensors; None where they cannot be held together."""
    ports = graph.app_inputs
    apart = any(port.on_grid or graph.tensor(port.tensor).type.shape[:1] != (1,) for port in ports)
    if apart or not ports or not refittable(graph):
        return None
    chosen = list(samples[:: -(-len(samples) // samples_at_once(graph))])
    found = {}
    for port in ports:
        values = port.from_model(np.asarray(data.inputs[port.name])[chosen])
        found[port.tensor] = values.reshape(-1, *graph.tensor(port.tensor).type.shape[1:])
    return found


_Step = Callable[[Recipe, _Bench], Iterator[Recipe]]


def _merging(recipe: Recipe, bench: _Bench) -> Iterator[Recipe]:
    if merge_layers(bench.graph) is not bench.graph:
        yield replace(recipe, merged=True)


def _biases(recipe: Recipe, bench: _Bench) -> Iterator[Recipe]:
    yield replace(recipe, biases=True)


def _rounding(recipe: Recipe, bench: _Bench) -> Iterator[Recipe]:
    yield replace(recipe, rounding=True)


def _equalization(recipe: Recipe, bench: _Bench) -> Iterator[Recipe]:
    """Farther and farther, and what of the weights shows only then.

    Weights to nearest do not bear the last ones.
    """
    for rounding in dict.fromkeys((recipe.rounding, bench.may_round)):
        for reach in _REACHES if rounding else _REACHES[:4]:
            yield replace(recipe, rounding=rounding, reach=reach)


def _limits(recipe: Recipe, bench: _Bench) -> Iterator[Recipe]:
    """Equalization also behind ReLU6 and the like."""
    for each in _equalization(recipe, bench) if bench.is_limited else ():
        if each.reach is not None:
            yield replace(each, reach=replace(each.reach, limited=True))


def _absorption(recipe: Recipe, bench: _Bench) -> Iterator[Recipe]:
    found = bench.equalized(recipe)
    if bench.absorbed(found) is not found.graph:
        yield replace(recipe, absorbed=True)


def _ranges(recipe: Recipe, bench: _Bench) -> Iterator[Recipe]:
    yield replace(recipe, ranges=bench.narrowed(recipe))


_STEPS: Mapping[RepairKind, _Step] = MappingProxyType(
    {
        RepairKind.MERGING: _merging,
        RepairKind.BIASES: _biases,
        RepairKind.ROUNDING: _rounding,
        RepairKind.EQUALIZATION: _equalization,
        RepairKind.LIMITS: _limits,
        RepairKind.ABSORPTION: _absorption,
        RepairKind.RANGES: _ranges,
    }
)
"""Kinds of repair in order."""

EFFORTS: Mapping[str, frozenset[RepairKind]] = MappingProxyType(
    {
        "fast": frozenset(),
        "normal": frozenset(_STEPS) - {RepairKind.ROUNDING, RepairKind.LIMITS, RepairKind.RANGES},
        "best": frozenset(_STEPS) - {RepairKind.BIASES},  # rounding corrects them, too
    }
)
"""Kinds of repair by the name that users give."""


def kinds_of(effort: str, asked: Mapping[RepairKind, bool]) -> tuple[RepairKind, ...]:
    """Kinds of repair in order: those of an effort, and others that were asked for or not."""
    return tuple(kind for kind in _STEPS if asked.get(kind, kind in EFFORTS[effort]))


def repair(
    found: Repaired,
    data: Data,
    tools: Tools,
    kinds: Sequence[RepairKind],
    *,
    asked: bool = False,
    bar: Bar = no_bar,
) -> Repaired:
    """The model on grids with less error at its outputs; as it is where that cannot be judged.

    Args:
        found: the float graph after the passes, and its grids as they were observed.
        data: the samples.
        tools: what makes the like of another graph.
        kinds: what is tried, in order.
        asked: also where outputs are as near as rounding them leaves.
        bar: shows how far it is.
    """
    if not kinds or found.calibrated is None:
        return found
    bench, recipe = _Bench(found, data, tools, kinds), Recipe()
    try:
        least, gains = bench.error(found), list[RepairGain]()
    except ToolFailed:  # of a model that no runtime runs on grids
        return found
    if least >= _enough(found.grids.graph) and not asked:
        near = Unrepaired(least, len(bench.held))
        return replace(found, calibrated=replace(found.calibrated, unrepaired=near))
    with bar("repairing", len(kinds)) as tick:
        for kind in kinds:
            tried = [(bench.error(bench.make(each)), each) for each in _STEPS[kind](recipe, bench)]
            tick(1)
            if not tried:
                continue
            best, change = max(tried, key=lambda pair: pair[0])
            wanted = _LEAST_OF_RANGES_DB if kind is RepairKind.RANGES else _LEAST_GAIN_DB
            kept = best >= least + wanted
            gains.append(RepairGain(kind, least, best, len(bench.held), kept))
            least, recipe = (best, change) if kept else (least, recipe)
    made = bench.make(recipe, all_samples=True)
    assert made.calibrated is not None
    known = replace(made.calibrated, repairs=tuple(gains))
    return replace(made, calibrated=known, recipe=recipe)


def repaired_alike(found: Repaired, data: Data, tools: Tools, recipe: Recipe) -> Repaired:
    """The model on grids as a recipe makes it that was found for other types of its layers.

    Nothing is tried: what another recipe would be worth is not known.
    """
    bench = _Bench(found, data, tools, ())
    return replace(bench.make(recipe, all_samples=True), recipe=recipe)
