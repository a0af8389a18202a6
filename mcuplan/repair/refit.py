# SPDX-License-Identifier: Apache-2.0
"""Layer by layer, integers of weights and biases that bring back what the float model computes.

The float graph and the one on grids walk over the same samples side by side. Each layer is fitted
to what its inputs have become, so that it makes up for what was rounded before it.

Sources: Nagel et al. 2019, section 4.2 (bias correction); Golub, Heath, Wahba 1979 (generalized
cross-validation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import McuplanError
from mcuplan.ir.block_factors import factors_of_all
from mcuplan.ir.editor import Editor
from mcuplan.ir.evaluate import batchable, on_grid, repeated
from mcuplan.ir.graph import Graph, Node, Stored, Tensor
from mcuplan.ir.types import Array, DType, Quant, TensorType
from mcuplan.passes.constants import weights_on_grid
from mcuplan.repair.rounding import rounded, rounded_in_blocks, shrunk

__all__ = ["refit", "refittable", "samples_at_once"]

_SUMS = 1 << 14  # of a layer that it is fitted on: taken evenly from all samples
_WORK = 1 << 33  # multiplications of a Hessian
_WIDEST = 2048  # terms of a sum whose weights are rounded together; wider ones to nearest
_RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0)  # of the mean of the Hessian's diagonal
_LEAST_FREE = 0.01  # of the sums, by which what they leave is judged
_ROUNDS = 3  # of bringing the mean behind limits and grid to where it was
_LEAST_SHARE = 0.05  # of values within the limits, by which a bias is taken to move their mean
_ELEMENTS = 1 << 25  # terms held at a time


def refittable(graph: Graph) -> bool:
    """Whether samples do not depend on one another, so that they are computed together."""
    return not graph.states and batchable(graph)


def samples_at_once(graph: Graph) -> int:
    """How many samples `refit` takes in some hundred megabytes."""
    sizes = [tensor.type.elements for tensor in graph.tensors.values() if not tensor.is_constant]
    for node in graph.nodes:
        if node.op.weight_inputs:
            weights = graph.tensor(node.inputs[node.op.weight_inputs[0]]).type
            sizes.append(
                graph.tensor(node.output).type.elements
                * weights.elements
                // max(1, weights.shape[0] ** 2)
            )
    return max(1, _ELEMENTS // max(sizes))


def refit(graph: Graph, grids: Graph, feeds: Mapping[str, Array], *, rounding: bool) -> Graph:
    """The graph on grids with other integers of weights and biases.

    Args:
        graph: float, as the model computes it; `refittable`.
        grids: the same with a grid for each activation.
        feeds: samples on axis 0 of the inputs, by tensor; all are held at once.
        rounding: choose the integers of weights, too; off: biases alone.
    """
    edit = Editor(grids)
    readers = {name: len(nodes) for name, nodes in graph.consumers().items()}
    real, samples = dict(feeds), len(next(iter(feeds.values())))
    ours = {name: on_grid(grids.tensor(name).type, array) for name, array in feeds.items()}
    for node, own in zip(graph.nodes, grids.nodes, strict=True):
        data = {name: graph.tensor(name).data for name in node.inputs}
        theirs = node.op.reference(*(real.get(n, _array(data[n])) for n in node.inputs))
        layer = _layer(edit, own, graph, node)
        if layer is not None:
            own = _fitted(edit, own, layer, real, ours, rounding=rounding)
        mine = own.op.reference(*(ours[n] if n in ours else _value(edit, n) for n in own.inputs))
        for name, a, b in zip(node.outputs, theirs, mine, strict=True):
            if not graph.activations(node):
                a, b = repeated(a, samples), repeated(b, samples)
            real[name], ours[name] = a, on_grid(edit.tensor(name).type, b)
        for name in dict.fromkeys(node.inputs):
            readers[name] -= 1
            if not readers[name]:
                real.pop(name, None)
                ours.pop(name, None)
    return edit.done()


def _array(data: Array | None) -> Array:
    return np.zeros(0) if data is None else data


def _value(edit: Editor, name: str) -> Array:
    """What a constant is on its grid."""
    tensor = edit.tensor(name)
    if tensor.stored is None:
        return _array(tensor.data)
    return tensor.stored.quant.dequantize(tensor.stored.values).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer that can be fitted: its real constants and the integers that they became."""

    weights: Tensor
    bias: Tensor
    real_weights: Array  # [outputs, terms], in double
    real_bias: Array
    source: Quant
    output: Quant

    @property
    def scales(self) -> Array:
        """Of the weights of each output."""
        assert self.weights.stored is not None
        scale = np.array(self.weights.stored.quant.scale, np.float64)
        return np.array(np.broadcast_to(scale, self.real_bias.shape))

    @property
    def dtype(self) -> DType:
        """Of the integers of weights."""
        assert self.weights.stored is not None
        return self.weights.stored.quant.dtype

    @property
    def integers(self) -> Array:
        """Weights as they were rounded: [outputs, terms]."""
        assert self.weights.stored is not None
        return self.weights.stored.values.reshape(self.real_weights.shape).astype(np.float64)

    @property
    def factors(self) -> Array | None:
        """Of weights on scales of blocks, what each integer is a multiple of."""
        assert self.weights.stored is not None
        values, block = self.weights.stored.values, self.weights.stored.quant.factored
        found = None if block is None else factors_of_all(values, block)
        return None if found is None else found.reshape(self.real_weights.shape).astype(np.float64)


def _layer(edit: Editor, own: Node, graph: Graph, node: Node) -> _Layer | None:
    """What is known of a node, None where it is no layer whose integers are ours to choose."""
    if len(node.op.weight_inputs) != 2:
        return None
    w, b = node.op.weight_inputs
    real, on_its_grid = (
        [e(n) for n in (o.inputs[w], o.inputs[b])]
        for e, o in ((graph.tensor, node), (edit.tensor, own))
    )
    source, output = (edit.tensor(n).type.quant for n in (own.inputs[0], own.output))
    if any(t.data is None or t.stored is not None for t in real) or source is None:
        return None
    if any(t.stored is None for t in on_its_grid) or output is None:
        return None
    weights, bias = (_array(t.data).astype(np.float64) for t in real)
    flat = weights.reshape(len(weights), -1)
    return _Layer(on_its_grid[0], on_its_grid[1], flat, bias, source, output)


def _fitted(
    edit: Editor,
    own: Node,
    layer: _Layer,
    real: Mapping[str, Array],
    ours: Mapping[str, Array],
    *,
    rounding: bool,
) -> Node:
    """The layer with the integers that fit it; the same where they leave what int32 holds."""
    before, now = (own.op.terms(values[own.inputs[0]]) for values in (real, ours))
    if not before or not len(layer.real_bias):
        return own
    filters = len(layer.real_bias) // len(before)
    values, every, bias = layer.integers, layer.scales, layer.real_bias.copy()
    grid = edit.tensor(own.output).type
    rank = len(layer.weights.type.shape) - 1
    for g, pair in enumerate(zip(before, now, strict=True)):
        some = slice(g * filters, (g + 1) * filters)
        a, b = _equations(pair, rank, layer.real_weights.shape[1])
        scales = layer.scales[some]
        if rounding and b.shape[1] <= _WIDEST:
            hessian = np.cov(b, rowvar=False, bias=True).reshape(b.shape[1], -1)
            wanted = layer.real_weights[some]
            if layer.dtype in (DType.INT4, DType.INT4_BLOCKS):
                wanted = wanted + _made_up(wanted, a, b, hessian)
                hessian = shrunk(hessian, b)
            if layer.factors is None:
                made, scales = rounded(wanted, scales, hessian, layer.dtype)
            else:
                made, scales = rounded_in_blocks(wanted, scales, hessian, layer.factors[some])
            values[some], every[some] = made, scales
        sums = b @ (values[some] * scales[:, None]).T
        wanted = a @ layer.real_weights[some].T + layer.real_bias[some]
        bias[some] = _centred(own, grid, wanted, sums)
    return _with(edit, own, layer, values, every, bias)


def _centred(own: Node, grid: TensorType, wanted: Array, sums: Array) -> Array:
    """Biases with which the mean of each output, behind limits and grid, is nearest to what it was.

    Of those that were tried: where nearly all values are cut, a step goes too far.

    Args:
        own: the layer.
        grid: of its output.
        wanted: sums of the float model, [sums, outputs].
        sums: ours without bias.
    """
    low, high = own.op.act
    bias: Array = (wanted - sums).mean(axis=0)
    best = bias
    least = np.full(bias.shape, np.inf)
    for _ in range(_ROUNDS + 1):
        moved = sums + bias
        clipped = on_grid(grid, np.clip(moved, low, high).astype(np.float32))
        miss = (np.clip(wanted, low, high) - clipped).mean(axis=0)
        best = np.asarray(np.where(np.abs(miss) < least, bias, best))
        least = np.minimum(least, np.abs(miss))
        inside = ((moved > low) & (moved < high)).mean(axis=0)
        bias = bias + miss / np.maximum(inside, _LEAST_SHARE)
    return best


def _equations(pair: tuple[Array, Array], rank: int, terms: int) -> tuple[Array, Array]:
    """Terms of evenly chosen sums, in double: of the float model and of ours, [sums, terms]."""
    shape = pair[0].shape[: pair[0].ndim - rank]
    count = int(np.prod(shape))
    wanted = min(count, _SUMS, max(terms, _WORK // max(1, terms) ** 2))
    chosen = np.unique(np.linspace(0, count - 1, wanted).round().astype(np.int64))
    at = np.unravel_index(chosen, shape)
    theirs, ours = (each[at].reshape(len(chosen), -1).astype(np.float64) for each in pair)
    return theirs, ours


def _made_up(weights: Array, theirs: Array, ours: Array, hessian: Array) -> Array:
    """What weights gain that make up for what their inputs have become, by least squares.

    As little of it as generalized cross-validation asks for: few sums show much by chance.
    """
    mean = float(np.trace(hessian)) / len(hessian)
    if not mean > 0.0:
        return np.zeros(weights.shape)
    centred, lost = ours - ours.mean(axis=0), (theirs - ours) @ weights.T
    lost = lost - lost.mean(axis=0)
    size, axes = np.linalg.eigh(hessian)
    along = axes.T @ (centred.T @ lost) / len(ours)
    shares, total = np.square(along).sum(axis=1), float(np.square(lost).sum()) / len(ours)

    def left(ridge: float) -> float:
        kept = size / (size + ridge * mean)
        rest = total - float(((2.0 - kept) / (size + ridge * mean) * shares).sum())
        return rest / max(1.0 - (1.0 + float(kept.sum())) / len(ours), _LEAST_FREE) ** 2

    ridge = mean * min(_RIDGES, key=left)
    made: Array = (axes @ (along / (size + ridge)[:, None])).T
    return made


def _with(
    edit: Editor, own: Node, layer: _Layer, values: Array, scales: Array, bias: Array
) -> Node:
    """A layer with other integers of its own."""
    stored = layer.weights.stored
    assert stored is not None
    integers = values.reshape(stored.values.shape).astype(stored.values.dtype)
    quant = replace(stored.quant, scale=tuple(scales.tolist()))
    weights = replace(layer.weights, stored=Stored(integers, quant))
    moved = replace(layer.bias, data=bias.astype(np.float32), stored=None)
    try:
        w, b, _ = weights_on_grid(weights, moved, layer.source, layer.output, own.op.act)
    except McuplanError:
        return own
    names = list(own.inputs)
    for i, tensor in zip(own.op.weight_inputs, (w, b), strict=True):
        names[i] = edit.set_tensor(replace(tensor, name=edit.own_name(names[i])))
    made = replace(own, inputs=tuple(names))
    edit.replace(own, made)
    return made
