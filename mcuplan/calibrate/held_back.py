# SPDX-License-Identifier: Apache-2.0
"""Samples that nothing was fitted to, and how far outputs are off on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mcuplan.calibrate.data import Data
from mcuplan.calibrate.runtime import Runtime
from mcuplan.calibrate.states import RuntimeStates
from mcuplan.errors import UsageError
from mcuplan.exporter.onnx import to_onnx
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array

__all__ = ["FEWEST", "held_back", "output_errors", "squares", "typical_errors"]

FEWEST = 10
"""Samples of which some can be held back."""

_EVERY = 5  # samples, of which one is held back
_SEED = 0
_TOGETHER = 16  # samples held at a time
_MOST_DB = 200.0


def held_back(graph: Graph, samples: int) -> frozenset[int]:
    """A fifth of the samples; of a sequence, whose calls go on from one another, the last one.

    Drawn, from one seed: files often have their classes in turn.

    Raises:
        UsageError: there are too few.
    """
    if samples < FEWEST:
        what = f"{samples} samples are too few to compare observers on some of them"
        raise UsageError(what, "--observer auto", f"give {FEWEST} or more, or name one")
    many = samples // _EVERY
    if graph.states:
        return frozenset(range(samples - many, samples))
    drawn = np.random.Generator(np.random.PCG64(_SEED)).permutation(samples)
    return frozenset(drawn[:many].tolist())


def output_errors(
    graph: Graph,
    made: Mapping[str, Graph],
    data: Data,
    held: frozenset[int],
    tick: Callable[[int], object],
) -> Mapping[str, float]:
    """Signal to noise of each graph's outputs against those of the float one, in dB."""
    signal, noise = squares(graph, made, data, held, tick)
    return {name: _decibels(signal.sum(axis=0), each.sum(axis=0)) for name, each in noise.items()}


def typical_errors(graph: Graph, made: Mapping[str, Graph], data: Data) -> Mapping[str, float]:
    """The same of a typical sample: the mean of what each gives, so that none outweighs others."""
    every = frozenset(range(data.samples))
    signal, noise = squares(graph, made, data, every, lambda done: None)
    return {
        name: float(np.mean([_decibels(s, n) for s, n in zip(signal, each, strict=True)]))
        for name, each in noise.items()
    }


def squares(
    graph: Graph,
    made: Mapping[str, Graph],
    data: Data,
    held: frozenset[int],
    tick: Callable[[int], object],
) -> tuple[Array, Mapping[str, Array]]:
    """Sums of squares of the float graph's outputs, and of what each other graph's differ by.

    Returns:
        [samples, outputs] each, of the samples held back.
    """
    floating, others = _Run(graph), {name: _Run(each) for name, each in made.items()}
    ports = [k for k, port in enumerate(graph.outputs) if not port.state]
    signal: list[list[float]] = []
    noise: dict[str, list[list[float]]] = {name: [] for name in made}
    for start, part in data.parts(_TOGETHER):
        for index in (i for i in range(part.samples) if start + i in held):
            feeds = part.feeds(graph.app_inputs, index)
            theirs = floating.outputs(feeds, ports)
            signal.append([float(np.square(each).sum()) for each in theirs])
            for name, run in others.items():
                pairs = zip(theirs, run.outputs(feeds, ports), strict=True)
                noise[name].append([float(np.square(a - b).sum()) for a, b in pairs])
            tick(1)
    return np.array(signal), {name: np.array(each) for name, each in noise.items()}


def _decibels(signal: Array, noise: Array) -> float:
    """Of outputs, each on its own scale, together; one that is not finite in float says nothing."""
    told = np.isfinite(signal)
    shares = noise / np.where(told & (signal > 0), signal, 1.0)
    share = float(np.mean(np.where(told, shares, 0.0)))
    return round(min(-10 * math.log10(share), _MOST_DB), 2) if share > 0 else _MOST_DB


class _Run:
    """A graph in the runtime, as it is written: machines agree on what it gives."""

    def __init__(self, graph: Graph) -> None:
        self._places, taps = _seen_at(graph)
        model = to_onnx(graph, qdq=True, taps=taps)
        self._runtime = Runtime(model.SerializeToString(), optimize=False)
        self._states = RuntimeStates(graph)

    def outputs(self, feeds: Mapping[str, Array], wanted: Sequence[int]) -> list[Array]:
        """Real values of the outputs wanted for one sample; of probabilities, their scores."""
        values = self._runtime.run({**feeds, **self._states.feeds})
        self._states.update(values)
        return [values[self._places[k]].astype(np.float64) for k in wanted]


def _seen_at(graph: Graph) -> tuple[list[int], list[str]]:
    """Where each output is looked at among outputs and taps, and the taps.

    Probabilities hide what an error of the scores would do to a sample that is less clear.
    """
    makers, places, taps = graph.producers(), [], list[str]()
    for k, port in enumerate(graph.outputs):
        node = makers.get(port.tensor)
        scores = node is not None and node.op.ranks_classes
        places.append(len(graph.outputs) + len(taps) if scores else k)
        taps += [node.inputs[0]] if node is not None and scores else []
    return places, taps
