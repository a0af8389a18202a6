# SPDX-License-Identifier: Apache-2.0
"""Which int8 values each channel of an int8 graph can take, whatever the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Op, QuantRule, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Maximum, Minimum, Mul, Sub
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.quantize import Quantize
from mcuplan.ops.unary import Lookup
from mcuplan.quant.requantize import act_limits, requantize, weighted_requant

__all__ = ["Bounds", "border_taps", "channel_bounds"]


_TOGETHER = 1 << 20  # weights


@dataclass(frozen=True, slots=True)
class Bounds:
    """Least and largest integer of each channel (the last axis) of a tensor."""

    low: Array
    high: Array

    @property
    def constant(self) -> Array:
        """Which channels have one value at every position and for every input."""
        fixed: Array = self.low == self.high
        return fixed


def channel_bounds(graph: Graph, *, real_ranges: bool = True) -> Mapping[str, Bounds]:
    """Bounds of every activation of an int8 graph, in one walk from the inputs.

    Without ranges that were observed or given, a sum that can vary is taken to have any
    value behind it: what the limits of made-up grids cut off means nothing.
    """
    found = {port.tensor: _any(graph.tensor(port.tensor).type) for port in graph.inputs}
    for node in graph.nodes:
        bounds = _BOUNDS.get(type(node.op), _increasing if _moves(graph, node) else _unknown)
        if bounds is _weighted and not real_ranges:
            bounds = _constant_sums
        for name, made in zip(node.outputs, bounds(graph, node, found), strict=True):
            found[name] = made
    return found


def _moves(graph: Graph, node: Node) -> bool:
    """Whether a node moves or selects values, so that order is kept; none by computed indices."""
    values = [graph.tensor(name) for name in node.inputs]
    kinds = [graph.tensor(name).type for name in node.outputs]
    known = all(value.is_constant or value.type.dtype is kinds[0].dtype for value in values)
    passes = node.op.quant_rule is QuantRule.PASS_THROUGH and len(kinds) == 1
    return passes and known and kinds[0].elements > 0


def border_taps(sig: Signature) -> Array:
    """Which taps of a convolution ever lie in the padding: [kernel_h, kernel_w]."""
    sides: list[Array] = []
    for axis in (1, 2):
        at = sig.window(axis).places(sig.output.shape[axis])
        beside = (at < 0) | (at >= sig.inputs[0].shape[axis])
        sides.append(np.asarray(beside.any(axis=0)))
    border: Array = sides[0][:, None] | sides[1][None, :]
    return border


def _any(kind: TensorType) -> Bounds:
    """Every value that the type has."""
    low, high = kind.dtype.low, kind.dtype.high
    return Bounds(np.full(kind.channels, low), np.full(kind.channels, high))


def _unknown(graph: Graph, node: Node, found: Mapping[str, Bounds]) -> list[Bounds]:
    return [_any(graph.tensor(name).type) for name in node.outputs]


def _weighted(graph: Graph, node: Node, found: Mapping[str, Bounds]) -> list[Bounds]:
    """The ends of the accumulator's range, requantized: that never falls as it grows."""
    sig = graph.signature(node)
    return [_of_sums(sig, _sums(sig, found[node.inputs[0]]))]


def _of_sums(sig: Signature, sums: Bounds) -> Bounds:
    return Bounds(_requantized(sig, sums.low), _requantized(sig, sums.high))


def _constant_sums(graph: Graph, node: Node, found: Mapping[str, Bounds]) -> list[Bounds]:
    """Nothing is known of the other sums."""
    sig, (free,) = graph.signature(node), _unknown(graph, node, found)
    sums = _sums(sig, found[node.inputs[0]])
    known = _of_sums(sig, sums)
    low, high = (np.where(sums.constant, known.low, end) for end in (free.low, free.high))
    return [Bounds(low, high)]


def _sums(sig: Signature, source: Bounds) -> Bounds:
    """Least and largest sum of each filter, without bias."""
    weights = sig.constant(1)
    if isinstance(sig.op, Conv2D):
        groups, border = sig.op.groups, border_taps(sig)
    else:
        groups, border = 1, np.zeros(1, bool)
    taps = weights.reshape(len(weights), border.size, -1)
    low, high = np.zeros((2, len(weights)), np.int64)
    for at_border in np.unique(border).tolist():
        part = taps[:, border.reshape(-1) == at_border]
        ends = source.low, source.high
        if at_border:
            zero = sig.inputs[0].q.z
            ends = np.minimum(source.low, zero), np.maximum(source.high, zero)
        least, most = (_per_filter(end, groups, len(weights)) for end in ends)
        for some in _filters_together(part):
            up = np.maximum(part[some], 0).sum(axis=1, dtype=np.int64)
            down = np.minimum(part[some], 0).sum(axis=1, dtype=np.int64)
            one, other = (end if len(end) == 1 else end[some] for end in (least, most))
            low[some] += (up * one + down * other).sum(axis=1)
            high[some] += (up * other + down * one).sum(axis=1)
    return Bounds(low, high)


def _filters_together(weights: Array) -> Iterator[slice]:
    """Filters whose sums of 64 bits are held at once."""
    count = max(1, _TOGETHER // max(1, weights[:1].size))
    return (slice(at, at + count) for at in range(0, len(weights), count))


def _per_filter(end: Array, groups: int, filters: int) -> Array:
    """What each filter sees of its group's channels: [filters or 1, channels of a group]."""
    shared = end.reshape(groups, -1)
    return shared if groups == 1 else np.repeat(shared, filters // groups, axis=0)


def _requantized(sig: Signature, sums: Array) -> Array:
    factors = weighted_requant(
        sig.constant(1), sig.constant(2), sig.inputs[0], sig.inputs[1], sig.output
    )
    return requantize(
        sums + factors.bias,
        factors.multiplier,
        factors.pre_shift,
        sig.output.q.z,
        act_limits(sig.output.q, sig.op.act),
        sig.output.dtype,
    ).astype(np.int64)


def _looked_up(graph: Graph, node: Node, found: Mapping[str, Bounds]) -> list[Bounds]:
    """Least and largest entry of the table between the ends."""
    source = found[node.inputs[0]]
    kind = graph.tensor(node.inputs[0]).type.dtype
    codes = kind.codes.astype(kind.numpy)
    (table,) = node.op.integer(graph.signature(node), codes)
    ends = np.stack([source.low, source.high]) - kind.low
    pairs, place = np.unique(ends, axis=1, return_inverse=True)
    parts = [table[a : b + 1].astype(np.int64) for a, b in pairs.T.tolist()]
    place = place.reshape(-1)
    least, most = (np.array([pick(part) for part in parts]) for pick in (np.min, np.max))
    return [Bounds(least[place], most[place])]


def _increasing(graph: Graph, node: Node, found: Mapping[str, Bounds]) -> list[Bounds]:
    """Operators whose results never fall as any element of any input grows."""
    low = _evaluated(graph, node, [_filled(graph, name, found, 0) for name in node.inputs])
    high = _evaluated(graph, node, [_filled(graph, name, found, 1) for name in node.inputs])
    return [Bounds(low.min(axis=0), high.max(axis=0))]


def _corners(graph: Graph, node: Node, found: Mapping[str, Bounds]) -> list[Bounds]:
    """Operators of two operands that rise or fall steadily with each while the other stays."""
    ends = [[_filled(graph, name, found, end) for end in (0, 1)] for name in node.inputs]
    made = np.concatenate([_evaluated(graph, node, list(pair)) for pair in product(*ends)])
    return [Bounds(made.min(axis=0), made.max(axis=0))]


def _filled(graph: Graph, name: str, found: Mapping[str, Bounds], end: int) -> Array:
    """A tensor with every channel at one end of its bounds, or a constant."""
    tensor = graph.tensor(name)
    if tensor.data is not None:
        return tensor.data
    values = found[name].high if end else found[name].low
    filled = np.broadcast_to(values.astype(tensor.type.dtype.numpy), tensor.type.shape)
    return np.ascontiguousarray(filled)


def _evaluated(graph: Graph, node: Node, arrays: list[Array]) -> Array:
    """Integers of a node of one output: [positions, channels]."""
    (made,) = node.op.integer(graph.signature(node), *arrays)
    return made.reshape(-1, graph.tensor(node.output).type.channels).astype(np.int64)


_BOUNDS: dict[type[Op], Callable[[Graph, Node, Mapping[str, Bounds]], list[Bounds]]] = {
    Conv2D: _weighted,
    Dense: _weighted,
    Lookup: _looked_up,
    **dict.fromkeys((Add, Maximum, Minimum, Mul, Sub), _corners),
    **dict.fromkeys((AvgPool2D, Concat, Quantize), _increasing),
}
