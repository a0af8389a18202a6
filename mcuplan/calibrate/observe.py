# SPDX-License-Identifier: Apache-2.0
"""Ranges of activations over samples, one sample at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, Self, TypeVar

import numpy as np

from mcuplan.calibrate.data import Data
from mcuplan.calibrate.runtime import Runtime
from mcuplan.calibrate.states import RuntimeStates
from mcuplan.errors import ScaleError
from mcuplan.exporter.onnx import to_onnx
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array
from mcuplan.passes.needed import told_apart
from mcuplan.quant.observers import Observer, Range

__all__ = ["Sees", "observe", "ranges_of", "seen_by", "values_of"]

_TOGETHER = 16  # samples held at a time
_TENSOR_ELEMENTS = 1 << 18  # of a tensor, collected before an observer sees them
_WAITING_ELEMENTS = 1 << 22  # of all tensors together


def _every(index: int) -> bool:
    return True


def values_of(
    graph: Graph, data: Data, tensors: Sequence[str], chosen: Callable[[int], bool] = _every
) -> Iterator[tuple[Array, ...]]:
    """For each chosen sample the values of some tensors of the graph, in their own layout.

    A call finds in the states what the one before it left, the first one zeros.
    """
    model = to_onnx(graph, qdq=True, taps=tensors)
    runtime = Runtime(model.SerializeToString())
    states = RuntimeStates(graph)
    for start, part in data.parts(_TOGETHER):
        for index in range(part.samples):
            if chosen(start + index):
                values = runtime.run({**part.feeds(graph.app_inputs, index), **states.feeds})
                states.update(values)
                yield values[len(graph.outputs) :]


class Sees(Protocol):
    """A value that becomes another one by what it sees: an observer, for one."""

    def updated(self, values: Array) -> Self:
        """The same that has also seen these values, [samples, ...]."""


S = TypeVar("S", bound=Sees)


def seen_by(
    graph: Graph,
    data: Data,
    observers: Mapping[str, S],
    chosen: Callable[[int], bool] = _every,
    tick: Callable[[int], object] = _every,
) -> Mapping[str, S]:
    """The observer of each tensor once it has seen the samples, as ONNX Runtime computes them.

    Of values that readers do not tell apart it sees the nearest that they do.
    Memory stays bounded: a sample's values are dropped once they are seen.

    Args:
        graph: float, after the passes.
        data: the samples.
        observers: fresh, by tensor.
        chosen: which samples, by their index.
        tick: told of each sample.

    Raises:
        ScaleError: a tensor takes a value that is not finite; named in ``where``.
    """
    found = dict(observers)
    limited = told_apart(graph)
    waiting: dict[str, list[Array]] = {name: [] for name in found}

    def flush(name: str) -> None:
        try:
            found[name] = found[name].updated(np.stack(waiting[name]))
        except ScaleError as error:
            error.where = graph.tensor(name).name
            raise
        waiting[name] = []

    held = 0
    for values in values_of(graph, data, tuple(found), chosen):
        tick(1)
        for name, value in zip(found, values, strict=True):
            waiting[name].append(limited[name](value) if name in limited else value)
            held += value.size
            if len(waiting[name]) * value.size >= _TENSOR_ELEMENTS or held >= _WAITING_ELEMENTS:
                held -= len(waiting[name]) * value.size
                flush(name)
    for name, left in waiting.items():
        if left:
            flush(name)
    return MappingProxyType(found)


def observe(
    graph: Graph, data: Data, observer: Observer, tensors: Sequence[str], *, widen: bool = False
) -> Mapping[str, Range]:
    """Range of each tensor over the samples, by one observer for all.

    Args:
        graph: float, after the passes.
        data: the samples.
        observer: fresh.
        tensors: to observe.
        widen: give what samples to come are expected to need; inputs as they were seen.

    Raises:
        ScaleError: a tensor takes a value that is not finite; named in ``where``.
    """
    return ranges_of(graph, seen_by(graph, data, dict.fromkeys(tensors, observer)), widen=widen)


def ranges_of(
    graph: Graph, observers: Mapping[str, Observer], *, widen: bool
) -> Mapping[str, Range]:
    """What the observers of tensors say; ``widen`` as of :func:`observe`."""
    inputs = {port.tensor for port in graph.inputs}
    return MappingProxyType(
        {
            name: seen.expected() if widen and name not in inputs else seen.range()
            for name, seen in observers.items()
        }
    )
