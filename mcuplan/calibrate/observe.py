# SPDX-License-Identifier: Apache-2.0
"""Ranges of activations over samples, one sample at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from mcuplan.calibrate.data import Data
from mcuplan.calibrate.runtime import Runtime
from mcuplan.calibrate.states import RuntimeStates
from mcuplan.errors import ScaleError
from mcuplan.exporter.onnx import to_onnx
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array
from mcuplan.quant.observers import Observer, Range

__all__ = ["observe", "values_of"]

_TOGETHER = 16  # samples held at a time
_TENSOR_ELEMENTS = 1 << 18  # of a tensor, collected before an observer sees them
_WAITING_ELEMENTS = 1 << 22  # of all tensors together


def values_of(graph: Graph, data: Data, tensors: Sequence[str]) -> Iterator[tuple[Array, ...]]:
    """For each sample the values of some tensors of the graph, in their own layout.

    A call finds in the states what the one before it left, the first one zeros.
    """
    model = to_onnx(graph, qdq=True, taps=tensors)
    runtime = Runtime(model.SerializeToString())
    states = RuntimeStates(graph)
    for _, part in data.parts(_TOGETHER):
        for index in range(part.samples):
            values = runtime.run({**part.feeds(graph.app_inputs, index), **states.feeds})
            states.update(values)
            yield values[len(graph.outputs) :]


def observe(
    graph: Graph, data: Data, observer: Observer, tensors: Sequence[str], *, widen: bool = False
) -> Mapping[str, Range]:
    """Range of each tensor over the samples, as ONNX Runtime computes the graph.

    Memory stays bounded: a sample's values are dropped once they are seen.

    Args:
        graph: float, after the passes.
        data: the samples.
        observer: fresh.
        tensors: to observe.
        widen: give what samples to come are expected to need; inputs as they were seen.

    Raises:
        ScaleError: a tensor takes a value that is not finite; named in ``where``.
    """
    observers = dict.fromkeys(tensors, observer)
    waiting: dict[str, list[Array]] = {name: [] for name in observers}

    def flush(name: str) -> None:
        try:
            observers[name] = observers[name].updated(np.stack(waiting[name]))
        except ScaleError as error:
            error.where = graph.tensor(name).name
            raise
        waiting[name] = []

    held = 0
    for values in values_of(graph, data, tuple(observers)):
        for name, value in zip(observers, values, strict=True):
            waiting[name].append(value.reshape(-1))
            held += value.size
            if len(waiting[name]) * value.size >= _TENSOR_ELEMENTS or held >= _WAITING_ELEMENTS:
                held -= len(waiting[name]) * value.size
                flush(name)
    for name, left in waiting.items():
        if left:
            flush(name)
    inputs = {port.tensor for port in graph.inputs}
    return MappingProxyType(
        {
            name: seen.expected() if widen and name not in inputs else seen.range()
            for name, seen in observers.items()
        }
    )
