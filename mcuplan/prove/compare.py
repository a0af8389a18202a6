# SPDX-License-Identifier: Apache-2.0
"""Holds the integer program against ONNX Runtime, layer by layer and end to end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcuplan.calibrate import AnyRuntime, Data, RuntimeStates
from mcuplan.facts import ClosedBy, DynamicAsReal, GapsClosed
from mcuplan.importer.taps import tapped_model
from mcuplan.ir.evaluate import batchable, run_node
from mcuplan.ir.graph import Graph, Port, Tensor
from mcuplan.ir.op import Tolerance
from mcuplan.ir.types import Array, DType
from mcuplan.record import LayerNoise

__all__ = [
    "LayerError",
    "ModelRuntime",
    "QuantizedLayers",
    "RuntimeValues",
    "layers_alone",
    "on_grid",
    "rounded_tensors",
    "tolerances_of",
]


@dataclass(frozen=True, slots=True)
class LayerError:
    """One tensor held against the runtime's.

    ``max_lsb`` and ``exact_share``: with the runtime's own inputs to the layer, for a
    quantized model. ``error``: root mean square of the difference over that of the value,
    errors of earlier layers included, for a float model, whose layers have ``noise``, too.
    """

    tensor: str
    max_lsb: int | None = None
    exact_share: float | None = None
    error: float | None = None
    noise: LayerNoise | None = None

    def is_beyond(self, tolerance: Tolerance) -> bool:
        """Whether the layer is one of those to name."""
        return (self.max_lsb or 0) > tolerance.lsb or (self.error or 0.0) > tolerance.error


def tolerances_of(graph: Graph) -> Mapping[str, Tolerance]:
    """What each computed tensor may differ from the runtime's by, as operator and type say.

    In float32 behind a grid of ours: as what lies on one.
    """
    rounded = rounded_tensors(graph)
    return {
        name: node.op.tolerance(DType.INT8 if name in rounded else graph.tensor(name).type.dtype)
        for node in graph.nodes
        for name in node.outputs
    }


def rounded_tensors(graph: Graph) -> frozenset[str]:
    """Tensors that lie on a grid, and those that are computed from them.

    All of them where it is the runtime that rounds, by what each sample holds.
    """
    theirs = any(isinstance(note, DynamicAsReal) for note in graph.notes)
    tensors = graph.tensors.items()
    found = {name for name, tensor in tensors if theirs or tensor.type.quant is not None}
    for node in graph.nodes:
        if found.intersection(graph.activations(node)):
            found.update(node.outputs)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class RuntimeValues:
    """What the runtime computed: real outputs [samples, elements], and inner tensors.

    ``inner`` maps our tensors to arrays [samples, ...] in our layout: integers for
    tensors that the model itself quantizes, else real values.
    """

    outputs: tuple[Array, ...]
    inner: Mapping[str, Array]


class ModelRuntime:
    """Runs the model file itself, without graph optimizations."""

    def __init__(self, path: Path, graph: Graph) -> None:
        """Load the file with the tensors that ours hold as outputs, too.

        Args:
            path: the model file.
            graph: our lowered graph, whose tensors say which of the model's they hold.
        """
        self._graph = graph
        self._states = RuntimeStates(graph)
        origins = {
            name: tensor
            for name, tensor in graph.tensors.items()
            if tensor.data is None and tensor.origin is not None
        }
        names = [t.origin.name for t in origins.values() if t.origin is not None]
        model, _, why = tapped_model(path, names, [port.name for port in graph.outputs])
        self._runtime = AnyRuntime(model, why)
        place = {name: i for i, name in enumerate(self._runtime.outputs)}
        self._mine = {
            name: (tensor, place[tensor.origin.name])
            for name, tensor in origins.items()
            if tensor.origin is not None and tensor.origin.name in place
        }

    @property
    def refused(self) -> str:
        """Why ONNX Runtime would not run the file, "" where it does."""
        return self._runtime.refused

    def values(self, data: Data) -> RuntimeValues:
        """Everything computed for a few samples, one at a time.

        States go on from call to call; ``inner`` has what each call found in them.
        """
        graph = self._graph
        runs, found = [], []
        for i in range(data.samples):
            found.append(self._states.feeds.copy())
            runs.append(self._runtime.run({**data.feeds(graph.app_inputs, i), **found[-1]}))
            self._states.update(runs[-1])
        outputs = tuple(
            _real(np.stack([run[k].reshape(-1) for run in runs]), graph, port)
            for k, port in enumerate(graph.outputs)
            if not port.state
        )
        inner = {n: _ours(t, [run[k] for run in runs]) for n, (t, k) in self._mine.items()}
        for port in (state.read for state in graph.states):
            read = port.from_model(np.stack([each[port.name] for each in found]))
            shape = graph.tensor(port.tensor).type.shape
            inner[port.tensor] = read.reshape(-1, *shape[1:])
        return RuntimeValues(outputs, inner)


def _ours(tensor: Tensor, values: Sequence[Array]) -> Array:
    """Arrays of the model (one per sample) in the layout of our tensor."""
    assert tensor.origin is not None
    moved = [tensor.origin.from_model(value) for value in values]
    shape = tensor.type.shape
    joined = np.stack([m.reshape(shape) for m in moved])
    if not shape:
        return joined
    return joined.reshape(len(moved) * shape[0], *shape[1:])


def _real(values: Array, graph: Graph, port: Port) -> Array:
    """Real values of a model output, which may be integers."""
    if not port.on_grid:
        return values.astype(np.float64)
    return graph.tensor(port.tensor).type.q.stored_as(port.dtype).dequantize(values)


def on_grid(tensor: Tensor, values: Array) -> Array:
    """The runtime's values of a tensor as our integers."""
    kind = tensor.type
    if kind.quant is None or values.dtype == np.bool_:
        return values.astype(kind.dtype.numpy)
    if values.dtype in (np.int8, np.uint8, np.int16, np.uint16):
        return DType.of(values).recoded(values, kind.dtype)
    return kind.q.quantize(values)


class QuantizedLayers:
    """Layers of a quantized model, each fed with the runtime's own values.

    A layer is what lies between two tensors that the runtime shows: inside it our own
    values travel on. One that reads what the runtime does not round and we do has other
    inputs there, and is not compared.
    """

    def __init__(self, graph: Graph) -> None:
        """Start without samples; ``graph`` is lowered."""
        self._graph = graph
        self._others = _behind_gaps(graph)
        self._worst: dict[str, int] = {}
        self._exact: dict[str, list[int]] = {}

    def update(
        self, feeds: Mapping[str, Array], ours: Mapping[str, Array], block: RuntimeValues
    ) -> None:
        """See samples: integers of the inputs, of all that we compute, and the runtime's."""
        given = {n: on_grid(self._graph.tensor(n), v) for n, v in block.inner.items()}
        samples = len(block.outputs[0])
        for name, mine, theirs in layers_alone(self._graph, {**given, **feeds}, samples):
            if name in self._others:
                continue
            apart = np.abs(mine.astype(np.int64) - theirs.astype(np.int64))
            self._worst[name] = max(self._worst.get(name, 0), int(apart.max(initial=0)))
            counts = self._exact.setdefault(name, [0, 0])
            counts[0] += int((apart == 0).sum())
            counts[1] += apart.size

    def result(self) -> Mapping[str, LayerError]:
        """By our tensor, in order."""
        shares = {name: equal / max(1, many) for name, (equal, many) in self._exact.items()}
        return {n: LayerError(n, lsb, shares[n]) for n, lsb in self._worst.items()}


def _behind_gaps(graph: Graph) -> frozenset[str]:
    """What layers make that read a tensor on a grid which the model does not give."""
    closed = {
        name
        for note in graph.notes
        if isinstance(note, GapsClosed) and note.by is not ClosedBy.NEIGHBOUR
        for name in note.tensors
    }
    rough, found = {n for n in graph.tensors if graph.tensor_name(n) in closed}, set[str]()
    for node in graph.nodes:
        if rough.intersection(graph.activations(node)):
            found.update(node.outputs)
            rough.update(n for n in node.outputs if graph.tensor(n).origin is None)
    return frozenset(found)


def layers_alone(
    graph: Graph, given: Mapping[str, Array], samples: int
) -> Iterator[tuple[str, Array, Array]]:
    """Each layer with the values given: its name, what it makes, and what was given for that.

    What is not given is computed and travels on. Sample by sample where a layer moves axis 0.
    """
    if batchable(graph):
        yield from _forced(graph, given, samples)
        return
    for i in range(samples):
        sizes = {name: len(array) // samples for name, array in given.items()}
        mine = {n: a[i * sizes[n] :][: sizes[n]] for n, a in given.items()}
        yield from _forced(graph, mine, 1)


def _forced(
    graph: Graph, given: Mapping[str, Array], samples: int
) -> Iterator[tuple[str, Array, Array]]:
    values = dict(given)
    for node in graph.nodes:
        for name, ours in zip(node.outputs, run_node(graph, node, values), strict=True):
            if not graph.activations(node):
                ours = np.concatenate([ours] * samples)  # a constant, made once
            if name in given and not graph.tensor(name).type.dtype.is_float:
                yield name, ours, given[name]
            elif name not in given:
                values[name] = ours
