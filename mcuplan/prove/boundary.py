# SPDX-License-Identifier: Apache-2.0
"""Samples at the boundary: real or integer values of the model to the bytes of the C code."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mcuplan.calibrate import Data
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.types import Array

__all__ = [
    "RUN_SAMPLES",
    "Feeds",
    "blocks",
    "boundary_inputs",
    "feeds_of",
    "real_inputs",
    "real_outputs",
    "samples_of",
    "together",
]


RUN_SAMPLES = 256  # of one run of a program at most
_TOGETHER, _TOGETHER_BYTES = 32, 1 << 25
_ELEMENT_BYTES = 12  # of an activation, with what the runtime and the comparison make of it


def together(graph: Graph) -> int:
    """How many samples are evaluated at a time: what they take is bounded.

    All that a program runs at a time where a call finds what the one before it left.
    """
    if graph.states:
        return RUN_SAMPLES
    shown = [t.type.elements for t in graph.tensors.values() if not t.is_constant]
    return max(1, min(_TOGETHER, _TOGETHER_BYTES // (_ELEMENT_BYTES * max(1, sum(shown)))))


@dataclass(frozen=True, slots=True)
class Feeds:
    """Integers of every input of a lowered graph for all samples, made when they are wanted."""

    graph: Graph
    data: Data

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.data.samples


def blocks(
    feeds: Mapping[str, Array] | Feeds, size: int
) -> Iterator[tuple[int, Mapping[str, Array]]]:
    """First sample and integers of the inputs, at most ``size`` samples together."""
    if isinstance(feeds, Feeds):
        for start, part in feeds.data.parts(size):
            yield start, boundary_inputs(feeds.graph, part)
        return
    for start in range(0, samples_of(feeds), size):
        yield start, {name: array[start : start + size] for name, array in feeds.items()}


def samples_of(feeds: Mapping[str, Array] | Feeds) -> int:
    """How many samples there are."""
    return feeds.samples if isinstance(feeds, Feeds) else len(next(iter(feeds.values())))


def boundary_inputs(graph: Graph, data: Data) -> Mapping[str, Array]:
    """Integers of every input of a lowered graph, by tensor name: [samples, ...shape[1:]]."""
    ports = graph.app_inputs
    return {port.tensor: _integers(graph, port, data.inputs[port.name]) for port in ports}


def feeds_of(graph: Graph, other: Graph, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
    """Integers of the inputs of a graph as those of another form of it take them."""
    found = {}
    for own, wanted in zip(graph.app_inputs, other.app_inputs, strict=True):
        moved = wanted.from_model(own.to_model(feeds[own.tensor]))
        shape = other.tensor(wanted.tensor).type.shape
        found[wanted.tensor] = moved.reshape(-1, *shape[1:])
    return found


def _integers(graph: Graph, port: Port, samples: Array) -> Array:
    kind = graph.tensor(port.tensor).type
    on_grid = port.dtype.recoded(samples, kind.dtype) if port.on_grid else kind.stored(samples)
    moved = port.from_model(on_grid)
    return moved.reshape(len(samples) * kind.shape[0], *kind.shape[1:])


def real_outputs(graph: Graph, port: Port, values: Array) -> Array:
    """Real values [samples, elements], in the model's order, of integers of the C code."""
    kind = graph.tensor(port.tensor).type
    ordered = port.to_model(values)
    return kind.real(ordered.reshape(len(ordered), math.prod(ordered.shape[1:])))


def real_inputs(graph: Graph, data: Data) -> Array:
    """Real values [samples, ...] of the first input."""
    port = graph.app_inputs[0]
    samples = data.inputs[port.name]
    if not port.on_grid:
        return samples
    kind = graph.tensor(port.tensor).type
    return kind.real(_integers(graph, port, samples))
