# SPDX-License-Identifier: Apache-2.0
"""What the outputs of an integer program lose against the float model, in percent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mcuplan.calibrate import Data
from mcuplan.calibrate.farther import with_farther
from mcuplan.calibrate.held_back import (
    FEWEST,
    FloatRun,
    held_back,
    off_squared,
    scores_of,
    typical_error,
)
from mcuplan.ir.evaluate import evaluate, first_states, left_states
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array
from mcuplan.prove.boundary import boundary_inputs, real_inputs, real_outputs, together
from mcuplan.prove.ends import labelled_output
from mcuplan.prove.outputs import gives_scores
from mcuplan.prove.score import TOP_1, Labelled, Score, decided, lost
from mcuplan.record import MEAN_ERROR, RELATIVE_ERROR, Compared, Comparison, Planned

__all__ = ["Losses", "losses_of"]

_WORK = 1 << 34  # multiply-accumulates of one comparison
_MOST = 512  # samples with labels
_SEED = 0


class Losses:
    """Compares integer programs with the float model that they come from.

    With labels by the score that these ask for: points of top-1 or of the area under the curve;
    percent of the mean label that the mean absolute error grows by. Else by the outputs: how much
    the root mean square of the difference is of that of the values, for a typical sample held back.
    """

    def __init__(self, graph: Graph, data: Data) -> None:
        """Run the float model.

        Args:
            graph: float, after the passes.
            data: calibration samples, with labels where there are any.

        Raises:
            DataError: the labels fit no output.
        """
        self._labelled = labelled_output(graph, data) if data.labels is not None else None
        chosen = _chosen(graph, data, labels=self._labelled is not None)
        self._given = len(chosen)
        if self._labelled is None:
            self._data = with_farther(data, graph.app_inputs, chosen)
        else:
            some = {name: np.asarray(array[chosen]) for name, array in data.inputs.items()}
            groups = None if data.groups is None else data.groups[chosen]
            self._data = Data(MappingProxyType(some), len(chosen), data.labels, groups)
            if data.labels is not None and groups is None:
                self._data = replace(self._data, labels=data.labels[chosen])
        self._theirs = _float_outputs(graph, self._data, scores=self._labelled is None)

    @property
    def measure(self) -> str:
        """What is compared."""
        return RELATIVE_ERROR if self._labelled is None else self._labelled[1]

    @property
    def samples(self) -> int:
        """How many programs run on."""
        return self._data.samples

    def of(self, graph: Graph) -> float:
        """What a lowered graph loses, in percent; less than 0 where it is better."""
        return self.compared(graph).loss

    def compared(self, graph: Graph) -> Compared:
        """The same, and how many decisions are those of the float model."""
        if self._labelled is None:
            return self._relative_error(graph)
        return self._lost_score(graph, *self._labelled)

    def _relative_error(self, graph: Graph) -> Compared:
        tensors = [scores_of(graph, port) for port in graph.app_outputs]
        deciding = [k for k, p in enumerate(graph.app_outputs) if gives_scores(graph, p)][:1]
        signal, noise, alike = [], [], 0
        for start, part, values in _runs(graph, self._data, tensors):
            for k, (port, tensor) in enumerate(zip(graph.app_outputs, tensors, strict=True)):
                theirs = self._theirs[k][start : start + part.samples].astype(np.float64)
                made = values[tensor]
                if tensor == port.tensor:
                    mine = real_outputs(graph, port, made)
                else:
                    mine = graph.tensor(tensor).type.real(made).reshape(theirs.shape)
                signal.append((k, np.square(theirs).sum(axis=1)))
                noise.append((k, off_squared(mine, theirs).sum(axis=1)))
                alike += self._alike(start, theirs, mine) if k in deciding else 0
        joined = [_by_output(parts, len(tensors)) for parts in (signal, noise)]
        loss = float(100 * 10 ** (-typical_error(*joined) / 20))
        return Compared(loss, 100 * alike / self._given if deciding else None)

    def _alike(self, start: int, theirs: Array, mine: Array) -> int:
        """Decisions that stay, of the samples that were given: none of those moved from them."""
        given = slice(max(0, self._given - start))
        return int((decided(theirs[given]) == decided(mine[given])).sum())

    def _lost_score(self, graph: Graph, index: int, metric: str) -> Compared:
        port, data = graph.app_outputs[index], self._data
        assert data.labels is not None
        labelled = Labelled(data.labels, data.groups)
        score, alike = Score(metric, labelled, graph.tensor(port.tensor).type.elements), 0
        for start, part, values in _runs(graph, data, [port.tensor]):
            mine = real_outputs(graph, port, values[port.tensor])
            theirs = self._theirs[index][start : start + len(mine)].astype(np.float64)
            score.update(start, theirs, mine, real_inputs(graph, part))
            alike += self._alike(start, theirs, mine)
        seen = score.result()
        assert seen.float_ is not None
        worse = lost(metric, seen.float_, seen.integer)
        size = float(np.abs(data.labels).mean()) if metric == MEAN_ERROR else 1.0
        decisions = 100 * alike / self._given if metric == TOP_1 else None
        return Compared(100 * worse / size if size > 0 else 0.0, decisions)


def losses_of(planned: Planned) -> Comparison:
    """What programs are compared with: once for a model, as the float model takes its time.

    Raises:
        DataError: the labels fit no output.
    """
    assert planned.calibration is not None
    return planned.losses or Losses(planned.floating, planned.calibration.data)


def _by_output(parts: list[tuple[int, Array]], many: int) -> Array:
    """Sums of samples in order: [samples, outputs]."""
    return np.stack([np.concatenate([a for k, a in parts if k == i]) for i in range(many)], axis=1)


def _chosen(graph: Graph, data: Data, *, labels: bool) -> list[int]:
    """Samples to compare on; all of them where several make one score."""
    if labels and data.groups is not None:
        return list(range(data.samples))
    macs = sum(graph.signature(node).cost.macs for node in graph.nodes)
    most = max(FEWEST, min(_MOST, _WORK // max(1, macs)))
    if not labels:
        held = held_back(graph, data.samples, 2 if data.samples >= FEWEST else 1)
        return sorted(held)[:most]
    if graph.states or data.samples <= most:
        return list(range(min(most, data.samples)))
    drawn = np.random.Generator(np.random.PCG64(_SEED)).permutation(data.samples)
    return sorted(drawn[:most].tolist())


def _float_outputs(graph: Graph, data: Data, *, scores: bool) -> list[Array]:
    """Of each output of the application [samples, elements], float32."""
    run = FloatRun(graph, scores=scores)
    ports = [k for k, port in enumerate(graph.outputs) if not port.state]
    found: list[list[Array]] = [[] for _ in ports]
    for _, part in data.parts(together(graph)):
        for i in range(part.samples):
            values = run.outputs(part.feeds(graph.app_inputs, i), ports)
            for each, value in zip(found, values, strict=True):
                each.append(value.reshape(-1).astype(np.float32))
    return [np.stack(each) for each in found]


def _runs(
    graph: Graph, data: Data, tensors: list[str]
) -> Iterator[tuple[int, Data, Mapping[str, Array]]]:
    """First sample, samples and integers of tensors, some samples at a time."""
    states = first_states(graph)
    written = [state.written.tensor for state in graph.states]
    for start, part in data.parts(together(graph)):
        values = evaluate(graph, boundary_inputs(graph, part), [*tensors, *written], states)
        states = left_states(graph, values)
        yield start, part, values
