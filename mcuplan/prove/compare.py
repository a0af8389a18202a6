# SPDX-License-Identifier: Apache-2.0
"""Holds the integer program against ONNX Runtime, layer by layer and end to end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcuplan.calibrate import Data, Runtime
from mcuplan.importer.taps import tapped_model
from mcuplan.ir.evaluate import batchable
from mcuplan.ir.graph import Graph, Tensor
from mcuplan.ir.types import Array, DType, Quant

__all__ = ["LayerError", "RuntimeValues", "layer_errors", "layer_lsb", "runtime_values"]

_BLOCK = 16  # samples held at a time


@dataclass(frozen=True, slots=True)
class LayerError:
    """One tensor held against the runtime's.

    ``max_lsb`` and ``exact_share``: with the runtime's own inputs to the layer, for a
    quantized model. ``error``: root mean square of the difference over that of the value,
    errors of earlier layers included, for a float model.
    """

    tensor: str
    max_lsb: int | None = None
    exact_share: float | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True)
class RuntimeValues:
    """What the runtime computed: real outputs [samples, elements], and inner tensors.

    ``inner`` maps our tensors to arrays [samples, ...] in our layout: integers for
    tensors that the model itself quantizes, else real values.
    """

    outputs: tuple[Array, ...]
    inner: Mapping[str, Array]


def runtime_values(path: Path, graph: Graph, data: Data) -> Iterator[RuntimeValues]:
    """Run the model file itself, without graph optimizations, in blocks of samples.

    Args:
        path: the model file.
        graph: our int8 graph, whose tensors say which of the model's they hold.
        data: samples.
    """
    origins = {
        name: tensor
        for name, tensor in graph.tensors.items()
        if tensor.data is None and tensor.origin is not None
    }
    names = [t.origin.name for t in origins.values() if t.origin is not None]
    model, _ = tapped_model(path, names)
    runtime = Runtime(model, optimize=False)
    place = {name: i for i, name in enumerate(runtime.outputs)}
    mine = {n: t for n, t in origins.items() if t.origin is not None and t.origin.name in place}
    for start in range(0, data.samples, _BLOCK):
        stop = min(start + _BLOCK, data.samples)
        runs = [runtime.run(data.feeds(graph.inputs, i)) for i in range(start, stop)]
        outputs = tuple(
            _real(np.stack([run[k].reshape(-1) for run in runs]), graph, port.tensor, port.dtype)
            for k, port in enumerate(graph.outputs)
        )
        inner = {n: _ours(t, [run[place[_name(t)]] for run in runs]) for n, t in mine.items()}
        yield RuntimeValues(outputs, inner)


def _name(tensor: Tensor) -> str:
    assert tensor.origin is not None
    return tensor.origin.name


def _ours(tensor: Tensor, values: Sequence[Array]) -> Array:
    """Arrays of the model (one per sample) in the layout of our tensor."""
    assert tensor.origin is not None
    moved = [tensor.origin.from_model(value) for value in values]
    shape = tensor.type.shape
    joined = np.stack([m.reshape(shape) for m in moved])
    if not shape:
        return joined
    return joined.reshape(len(moved) * shape[0], *shape[1:])


def _real(values: Array, graph: Graph, tensor: str, dtype: DType) -> Array:
    """Real values of a model output, which may be integers."""
    if dtype not in (DType.INT8, DType.UINT8):
        return values.astype(np.float64)
    quant = graph.tensor(tensor).type.q
    shift = 128 if dtype is DType.UINT8 and graph.tensor(tensor).type.dtype is DType.INT8 else 0
    return quant.dequantize(values.astype(np.int16) - shift)


def on_grid(tensor: Tensor, values: Array) -> Array:
    """The runtime's values of a tensor as our integers."""
    kind = tensor.type
    if values.dtype == np.dtype(kind.dtype.value):
        return values
    if values.dtype == np.uint8:
        return (values.astype(np.int16) - 128).astype(np.int8)
    if values.dtype == np.int8:
        return (values.astype(np.int16) + 128).astype(np.uint8)
    if kind.dtype is DType.UINT8:
        inner = Quant.per_tensor(kind.q.s, kind.q.z - 128)
        return (inner.quantize(values).astype(np.int16) + 128).astype(np.uint8)
    return kind.q.quantize(values)


def layer_lsb(
    graph: Graph, feeds: Mapping[str, Array], blocks: Iterable[RuntimeValues]
) -> tuple[LayerError, ...]:
    """Each layer of a quantized model, fed with the runtime's own values.

    A layer is what lies between two tensors that the runtime shows: inside it our own
    values travel on.

    Args:
        graph: int8.
        feeds: integers of the inputs by tensor name, all samples.
        blocks: the runtime's values, block by block in the same order.
    """
    start = 0
    worst: dict[str, int] = {}
    exact: dict[str, list[int]] = {}
    for block in blocks:
        given = {n: on_grid(graph.tensor(n), v) for n, v in block.inner.items()}
        stop = start + len(block.outputs[0])
        given |= {name: array[start:stop] for name, array in feeds.items()}
        start = stop
        for name, ours, theirs in _layers(graph, given, len(block.outputs[0])):
            apart = np.abs(ours.astype(np.int16) - theirs.astype(np.int16))
            worst[name] = max(worst.get(name, 0), int(apart.max(initial=0)))
            counts = exact.setdefault(name, [0, 0])
            counts[0] += int((apart == 0).sum())
            counts[1] += apart.size
    return tuple(
        LayerError(name, lsb, exact[name][0] / max(1, exact[name][1]))
        for name, lsb in worst.items()
    )


def _layers(
    graph: Graph, given: Mapping[str, Array], samples: int
) -> Iterator[tuple[str, Array, Array]]:
    """Each layer with the runtime's inputs; sample by sample where one moves axis 0."""
    if batchable(graph):
        yield from _forced(graph, given)
        return
    for i in range(samples):
        sizes = {name: len(array) // samples for name, array in given.items()}
        yield from _forced(graph, {n: a[i * sizes[n] :][: sizes[n]] for n, a in given.items()})


def _forced(graph: Graph, given: Mapping[str, Array]) -> Iterator[tuple[str, Array, Array]]:
    values = dict(given)
    for node in graph.nodes:
        arrays = []
        for name in node.inputs:
            data = graph.tensor(name).data
            arrays.append(values[name] if data is None else data)
        (ours,) = node.op.integer(graph.signature(node), *arrays)
        if node.output in given:
            yield node.output, ours, given[node.output]
        else:
            values[node.output] = ours


def layer_errors(
    graph: Graph, ours: Mapping[str, Array], block: RuntimeValues
) -> Mapping[str, tuple[float, float]]:
    """Sums of squares (difference, value) of each tensor of a float model."""
    sums = {}
    for name, real in block.inner.items():
        if name in ours and real.dtype.kind == "f":
            mine = graph.tensor(name).type.q.dequantize(ours[name])
            sums[name] = (float(np.square(mine - real).sum()), float(np.square(real).sum()))
    return sums
