# SPDX-License-Identifier: Apache-2.0
"""Samples that nothing was fitted to, and how far outputs are off on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from mcuplan.calibrate.bands import Bands, Extents, of_one_unit
from mcuplan.calibrate.data import Data
from mcuplan.calibrate.farther import with_farther
from mcuplan.calibrate.runtime import Runtime
from mcuplan.calibrate.states import RuntimeStates
from mcuplan.exporter.onnx import to_onnx
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.types import Array

__all__ = ["FEWEST", "FloatRun", "Judge", "held_back", "off_squared", "scores_of", "typical_error"]


def _nobody(done: int) -> None:
    """Nobody wants to know."""


FEWEST = 10
"""Samples of which some can be held back."""

_MOST = 64  # samples held back
_SEED = 0
_TOGETHER = 16  # samples held at a time
_MOST_DB = 200.0
_LARGEST_SHARE = 10 ** (_MOST_DB / 10)
_FAINT = 0.1  # of what a band of channels usually has: a sample with less of it says little


def held_back(graph: Graph, samples: int, one_in: int) -> frozenset[int]:
    """One in so many samples, at most 64; of a sequence the last ones.

    Drawn, from one seed: files often have their classes in turn. Calls of a sequence go on from one
    another, and stay together.
    """
    many = min(samples // one_in, _MOST)
    if graph.states:
        return frozenset(range(samples - many, samples))
    drawn = np.random.Generator(np.random.PCG64(_SEED)).permutation(samples)
    return frozenset(drawn[:many].tolist())


class Judge:
    """Says how far graphs are off the float one, on samples that nothing was fitted to.

    On the samples as they are, and farther from what is usual: what clips serves what was seen.
    Channels of an output whose ranges are far apart count each on its own scale (see `Bands`).
    """

    def __init__(self, graph: Graph, data: Data, samples: Collection[int]) -> None:
        """Take some of the samples, by index; they are held in memory."""
        self._graph = graph
        self._data = with_farther(data, graph.app_inputs, sorted(samples))
        self._known: tuple[Bands, ...] = ()

    @property
    def runs(self) -> int:
        """Of the float graph, of which `errors` tells."""
        return self._data.samples

    def errors(
        self, made: Mapping[str, Graph], tick: Callable[[int], object] = _nobody
    ) -> Mapping[str, float]:
        """Signal to noise of the outputs of each graph on a typical sample, in dB, at most 200.

        Of all samples the mean of what each gives, so that none outweighs others.

        Args:
            made: the graph with grids, in several ways.
            tick: told of each sample.
        """
        signal, noise = self._squares(made, tick)
        parts = [bands.count for bands in self._known]
        faint = np.repeat([_FAINT if many > 1 else 0.0 for many in parts], parts)
        usual = np.where(np.isfinite(signal), signal, 0.0).mean(axis=0)
        signal = np.maximum(signal, faint * usual)
        return {name: typical_error(signal, each) for name, each in noise.items()}

    def _bands(self, floating: FloatRun, ports: Sequence[int]) -> tuple[Bands, ...]:
        """Of each output."""
        graph = self._graph
        apart = [k for k in ports if not of_one_unit(graph, graph.outputs[k])]
        found = {k: Extents() for k in apart}
        for _, part in self._data.parts(_TOGETHER) if apart else ():
            for index in range(part.samples):
                values = floating.outputs(part.feeds(graph.app_inputs, index), apart)
                for k, each in zip(apart, values, strict=True):
                    found[k].update(each)
        return tuple(found[k].bands() if k in found else Bands() for k in ports)

    def _squares(
        self, made: Mapping[str, Graph], tick: Callable[[int], object]
    ) -> tuple[Array, Mapping[str, Array]]:
        """Sums of squares of float outputs, and of what others differ by: [samples, bands]."""
        graph = self._graph
        floating, others = FloatRun(graph), {name: FloatRun(each) for name, each in made.items()}
        ports = [k for k, port in enumerate(graph.outputs) if not port.state]
        self._known = self._known or self._bands(FloatRun(graph), ports)
        signal: list[list[float]] = []
        noise: dict[str, list[list[float]]] = {name: [] for name in made}
        for _, part in self._data.parts(_TOGETHER):
            for index in range(part.samples):
                feeds = part.feeds(graph.app_inputs, index)
                theirs = floating.outputs(feeds, ports)
                signal.append(self._sums([np.square(each) for each in theirs]))
                for name, run in others.items():
                    pairs = zip(theirs, run.outputs(feeds, ports), strict=True)
                    noise[name].append(self._sums([off_squared(a, b) for a, b in pairs]))
                tick(1)
        return np.array(signal), {name: np.array(each) for name, each in noise.items()}

    def _sums(self, outputs: Sequence[Array]) -> list[float]:
        """Of the squares of each output, band by band."""
        pairs = zip(self._known, outputs, strict=True)
        return [part for bands, squares in pairs for part in bands.sums(squares)]


def off_squared(one: Array, other: Array) -> Array:
    """Squares of what real values differ by; not finite where these are not."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares: Array = np.square(one - other)
    return squares


def typical_error(signal: Array, noise: Array) -> float:
    """Signal to noise of a typical sample, in dB, from squares [samples, outputs]."""
    return float(np.mean([_decibels(s, n) for s, n in zip(signal, noise, strict=True)]))


def _decibels(signal: Array, noise: Array) -> float:
    """Of outputs, each on its own scale, together; one that is not finite in float says nothing.

    One that is finite in float alone is as bad as can be.
    """
    told = np.isfinite(signal)
    with np.errstate(over="ignore", invalid="ignore"):
        shares = noise / np.where(told & (signal > 0), signal, 1.0)
    shares = np.minimum(np.where(np.isnan(shares), np.inf, shares), _LARGEST_SHARE)
    share = float(np.mean(np.where(told, shares, 0.0)))
    return round(min(-10 * math.log10(share), _MOST_DB), 2) if share > 0 else _MOST_DB


class FloatRun:
    """A graph in the runtime, as it is written: machines agree on what it gives."""

    def __init__(self, graph: Graph, *, scores: bool = True) -> None:
        """Load it; with ``scores``, those are seen in place of probabilities (see `scores_of`)."""
        seen = [scores_of(graph, port) if scores else port.tensor for port in graph.outputs]
        taps = [name for name, port in zip(seen, graph.outputs, strict=True) if name != port.tensor]
        behind = iter(range(len(seen), len(seen) + len(taps)))
        self._places = [
            k if name == port.tensor else next(behind)
            for k, (name, port) in enumerate(zip(seen, graph.outputs, strict=True))
        ]
        model = to_onnx(graph, qdq=True, taps=taps)
        self._runtime = Runtime(model.SerializeToString(), optimize=False)
        self._states = RuntimeStates(graph)

    def outputs(self, feeds: Mapping[str, Array], wanted: Sequence[int]) -> list[Array]:
        """Real values of the outputs wanted for one sample."""
        values = self._runtime.run({**feeds, **self._states.feeds})
        self._states.update(values)
        return [values[self._places[k]].astype(np.float64) for k in wanted]


def scores_of(graph: Graph, port: Port) -> str:
    """The tensor at which an output is looked at: of probabilities, the scores in front of them.

    Probabilities hide what an error of the scores would do to a sample that is less clear.
    """
    node = graph.producers().get(port.tensor)
    return node.inputs[0] if node is not None and node.op.ranks_classes else port.tensor
