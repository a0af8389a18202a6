# SPDX-License-Identifier: Apache-2.0
"""Makes models by recipes from some samples, and judges them by others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mcuplan.calibrate import Calibrated, Data
from mcuplan.calibrate.held_back import FEWEST, Judge, held_back
from mcuplan.facts import RepairKind
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array, DType
from mcuplan.passes.absorb_biases import absorb_biases
from mcuplan.passes.assign_grids import Grids
from mcuplan.passes.equalize import Reach, equalize
from mcuplan.passes.keep_wide import widened
from mcuplan.passes.merge_layers import merge_layers
from mcuplan.quant.observers import Range
from mcuplan.repair.narrow import narrowed
from mcuplan.repair.refit import refit, refittable, samples_at_once
from mcuplan.repair.widen import is_of_int8, layers_to_widen

__all__ = ["Bench", "Recipe", "Repaired", "Tools"]

_TRIED = 16
"""Samples that the grid of each tensor is tried on alone."""


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
    wide: tuple[str, ...] = ()  # nodes in int16
    wide_weights: bool = False  # theirs, too
    biases: bool = False
    rounding: bool = False  # and biases


@dataclass(frozen=True, slots=True)
class Repaired:
    """A model on grids, and the float graph that it is compared with.

    ``graph`` computes what the model computes; channels may be multiplied by factors.
    ``apart``: the grids as they are by the samples that none is judged by; None: these saw none.
    """

    graph: Graph
    calibrated: Calibrated | None  # None: the grids come from elsewhere
    grids: Grids
    recipe: Recipe | None = None  # what was done; None: nothing was tried
    apart: Grids | None = None


class Bench:
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
        found = self.widened(self.equalized(recipe), recipe)
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
            graph = equalize(graph, self._widths(recipe), recipe.reach)
        found = self._first if graph is self._first.graph else self._observed(graph)
        if not recipe.absorbed:
            return found
        graph = self.absorbed(found)
        return found if graph is found.graph else self._observed(graph)

    def _widths(self, recipe: Recipe) -> Mapping[str, Array]:
        """How far channels went from 0; those of inputs that are moved from their middle."""
        calibrated, reach = self._first.calibrated, recipe.reach
        if calibrated is None or reach is None or not (recipe.absorbed and reach.inputs):
            return self._most
        inputs = {port.tensor for port in self.graph.app_inputs}
        seen = {n: each for n, each in calibrated.extremes.items() if n in inputs}
        return {**self._most, **{n: each.most / 2 - each.least / 2 for n, each in seen.items()}}

    def widened(self, found: Repaired, recipe: Recipe) -> Repaired:
        """The model with layers in int16, unless it has such or real ones in other places."""
        if not recipe.wide or not is_of_int8(self.graph):
            return found
        weights = None if recipe.wide_weights else DType.INT8
        return self._observed(widened(found.graph, recipe.wide, weights=weights))

    def layers_to_widen(self, recipe: Recipe) -> Iterator[tuple[str, ...]]:
        """Sets of nodes, more and more of them."""
        found = self.make(replace(recipe, biases=False, rounding=False))
        some = sorted(self.held)[:_TRIED]
        return layers_to_widen(found.graph, found.grids.graph, Judge(found.graph, self._data, some))

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
