# SPDX-License-Identifier: Apache-2.0
"""Outputs of model file and integer program, end to end over blocks of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.calibrate import Data
from mcuplan.calibrate.bands import shares_unit
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.types import Array
from mcuplan.prove.compare import rounded_tensors, tolerances_of
from mcuplan.prove.outputs import OutputSeen, OutputTally, gives_scores
from mcuplan.prove.score import TOP_1, Labelled, Score, decided, tied
from mcuplan.record import Accuracy, SampleError

__all__ = ["EndToEnd", "Ends", "labelled_output"]

_NAMED = 1000  # samples whose decision changed
_WORST = 5  # samples that are named for what they are off


@dataclass(frozen=True, slots=True)
class Ends:
    """What the outputs showed, in the order of the ports.

    ``max_lsb`` and ``exact_share``: of a quantized model. ``scores``: the output that has one
    score for each class, of which ``decisions`` is the share that agrees, and ``changed`` are the
    first samples that do not; ``ties``: samples on which several of our scores are the largest,
    where the first one decides. ``labelled``: the output that the labels are for. ``alike``:
    outputs whose channels are of one kind. ``worst``: samples that are furthest off, in steps of
    the output's grid, of outputs that have one.
    """

    max_lsb: int | None
    exact_share: float | None
    scores: int | None
    decisions: float | None
    labelled: int | None
    accuracy: Accuracy | None
    outputs: tuple[OutputSeen, ...]
    alike: frozenset[int]
    changed: tuple[int, ...] = ()
    worst: tuple[SampleError, ...] = ()
    ties: int | None = None


class EndToEnd:
    """Collects what the outputs show, block by block of samples."""

    def __init__(self, graph: Graph, data: Data, *, quantized: bool) -> None:
        """Start without samples.

        Args:
            graph: lowered graph.
            data: for its labels.
            quantized: the model brings its own grids.

        Raises:
            DataError: the labels fit no output.
        """
        ports = graph.app_outputs
        self._steps = [graph.tensor(port.tensor).type.step for port in ports]
        self._tallies = [
            OutputTally(port, step, quantized=quantized)
            for port, step in zip(ports, self._steps, strict=True)
        ]
        known = tolerances_of(graph)
        rounded = rounded_tensors(graph)
        exact = [_is_float(graph, port) and port.tensor not in rounded for port in ports]
        self._tolerances = [
            known.get(port.tensor) if real else None
            for port, real in zip(ports, exact, strict=True)
        ]
        self._on_grid = [not _is_float(graph, port) for port in ports]
        self._graded = [on and not p.is_choice for on, p in zip(self._on_grid, ports, strict=True)]
        self._quantized, self._lsb, self._equal, self._elements = quantized, 0, 0, 0
        self._labelled, self._score = _score_of(graph, data)
        ranked = [k for k, port in enumerate(ports) if gives_scores(graph, port)]
        if self._score is not None and self._score.metric == TOP_1:
            ranked = [k for k in [self._labelled] if k is not None]
        self._scores = ranked[0] if ranked else None
        self._agreed, self._tied, self._samples = 0, 0, 0
        self._changed: list[int] = []
        self._worst: list[SampleError] = []
        alike = {k for k, port in enumerate(ports) if shares_unit(graph, port)}
        self._alike = frozenset(alike.union(ranked))

    def update(
        self, start: int, theirs: Sequence[Array], mine: Sequence[Array], inputs: Array
    ) -> None:
        """See real outputs [samples, elements] of the runtime and our own, and real inputs."""
        seen = zip(self._tallies, self._steps, self._on_grid, mine, theirs, strict=True)
        for tally, step, on_grid, one, other in seen:
            tally.update(other, one)
            if self._quantized and on_grid:
                apart = np.rint(np.abs(one - other) / step)
                self._lsb = max(self._lsb, int(apart.max(initial=0)))
                self._equal += int((apart == 0).sum())
                self._elements += apart.size
        self._see_samples(start, theirs, mine)
        self._samples += len(mine[0])
        if self._scores is not None:
            one, other = mine[self._scores], theirs[self._scores]
            agrees = decided(one) == decided(other)
            self._agreed += int(agrees.sum())
            self._tied += int(tied(one).sum())
            self._changed += (start + np.flatnonzero(~agrees)).tolist()[
                : _NAMED - len(self._changed)
            ]
        if self._score is not None and self._labelled is not None:
            self._score.update(start, theirs[self._labelled], mine[self._labelled], inputs)

    def _see_samples(self, start: int, theirs: Sequence[Array], mine: Sequence[Array]) -> None:
        """Keep the samples that are furthest off; what is not finite is not compared here."""
        off = np.zeros(len(mine[0]))
        for step, graded, one, other in zip(self._steps, self._graded, mine, theirs, strict=True):
            if graded:
                apart = np.nan_to_num(np.abs(one - other) / step, posinf=0.0)
                off = np.maximum(off, apart.max(axis=1, initial=0.0))
        first = np.argsort(-off, kind="stable")[:_WORST].tolist()
        seen = [SampleError(start + k, round(float(off[k]), 3)) for k in first if off[k] > 0]
        self._worst = sorted([*self._worst, *seen], key=lambda e: (-e.steps, e.sample))[:_WORST]

    def result(self) -> Ends:
        """Everything over all samples."""
        return Ends(
            max_lsb=self._lsb if self._quantized else None,
            exact_share=self._equal / max(1, self._elements) if self._quantized else None,
            scores=self._scores,
            changed=tuple(self._changed),
            worst=tuple(self._worst),
            ties=self._tied if self._scores is not None else None,
            decisions=self._agreed / self._samples if self._scores is not None else None,
            labelled=self._labelled,
            accuracy=self._score.result() if self._score is not None else None,
            outputs=tuple(
                replace(tally.result(), tolerance=tolerance)
                for tally, tolerance in zip(self._tallies, self._tolerances, strict=True)
            ),
            alike=self._alike,
        )


def _is_float(graph: Graph, port: Port) -> bool:
    return graph.tensor(port.tensor).type.dtype.is_float


def _score_of(graph: Graph, data: Data) -> tuple[int | None, Score | None]:
    """The first output that the labels fit, and what counts there."""
    if data.labels is None:
        return None, None
    k, metric = labelled_output(graph, data)
    width = graph.tensor(graph.app_outputs[k].tensor).type.elements
    return k, Score(metric, Labelled(data.labels, data.groups), width)


def labelled_output(graph: Graph, data: Data) -> tuple[int, str]:
    """The first output that the labels fit, by its index, and the metric that they ask for.

    Raises:
        DataError: they fit none.
    """
    assert data.labels is not None
    held = Labelled(data.labels, data.groups)
    for k, port in enumerate(graph.app_outputs):
        metric = held.metric(port.shape, graph.app_inputs[0].shape)
        if metric is not None:
            return k, metric
    raise held.misfit([port.shape for port in graph.app_outputs])
