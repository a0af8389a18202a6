# SPDX-License-Identifier: Apache-2.0
"""What a channel always adds goes into the biases of its readers, so that its range is smaller.

Source: Nagel et al. 2019, section 4.1.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.op import NO_CLAMP
from mcuplan.ir.types import Array
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.passes._channel_bounds import border_taps
from mcuplan.passes._channel_factors import takes_factors
from mcuplan.passes._scaled_ends import is_scaled_input
from mcuplan.quant.observers import Range

__all__ = ["absorb_biases"]

_RELU = (0.0, float("inf"))
_ROOM = 0.25  # of what was seen of a channel, that its least value stays above 0
_LEAST_GAIN = 0.9  # of a tensor's range, that has to be left for it to be worth it
_LEAST_LEFT = 2.0**-14  # of it: less is what float32 rounds, no spread that samples show


def absorb_biases(graph: Graph, seen: Mapping[str, tuple[Array, Array]]) -> Graph:
    """Move channels towards 0 where the layers around them can.

    Pattern: a layer without limits or with a Relu, or an input in float32 with a factor for each
        channel; behind it, through means, largest values, sums
        and differences, layers without padding, or a difference from which it falls out.
    Becomes: the same with a constant of each channel less in the bias of the first, or behind the
        factors, and times the weights more in the biases of the others.
    Only if: the range of the tensor shrinks by a tenth or more, and not to what float32 rounds.
    Exact because: w * (x - c) + (b + w * c) = w * x + b. Behind a Relu as long as x stays above c,
        which leaves room below what was seen.

    Args:
        graph: float, after the passes.
        seen: least and largest value of each channel, by tensor.
    """
    edit, consumers = Editor(graph), graph.consumers()
    ends = {port.tensor for port in (*graph.inputs, *graph.outputs)}
    for node in graph.nodes:
        name, readers = node.output, consumers.get(node.output, ())
        layer = isinstance(node.op, Conv2D | Dense) and takes_factors(graph, node)
        takes = layer or is_scaled_input(graph, node)
        if not takes or name in ends or name not in seen or node.op.act not in (NO_CLAMP, _RELU):
            continue
        moved = _constant(*seen[name], is_cut=node.op.act == _RELU)
        carried = _carried(graph, name, moved) if readers and moved.any() else None
        if carried is None:
            continue
        (_add if layer else _add_in_front)(edit, node, -moved)
        for reader in graph.nodes:
            by = carried.get(reader.inputs[0]) if _can_add(graph, reader) else None
            if by is not None:
                _add(edit, reader, _sums(reader, graph.tensor(reader.inputs[1]), by))
        for each in carried:
            edit.set_tensor(replace(edit.tensor(each), origin=None))  # no value of the model's
    return edit.done()


def _add_in_front(edit: Editor, node: Node, by: Array) -> None:
    """Add to the real values that a node puts on a grid."""
    (name,) = node.inputs
    tensor = edit.tensor(name)
    constant = edit.constant(
        f"{name}_means", by.reshape((1,) * (len(tensor.type.shape) - 1) + (-1,))
    )
    edit.set_tensor(replace(edit.tensor(constant), real=True))
    made = edit.set_tensor(replace(tensor, name=edit.fresh(f"{name}_moved")))
    moved = Node(edit.fresh(f"{made}_node"), Add(), (name, constant), (made,))
    edit.replace(node, moved, replace(node, inputs=(made,)))


def _carried(graph: Graph, name: str, moved: Array) -> Mapping[str, Array] | None:
    """What each channel of a tensor is less by then, of all that are; None: some cannot be."""
    found, ends = {name: moved}, {port.tensor for port in graph.outputs}
    for node in graph.nodes:
        if found.keys().isdisjoint(node.inputs) or _can_add(graph, node):
            continue
        own = [found.get(each) for each in node.inputs]
        passed = _passed(graph, node, own)
        if passed is None:
            return None
        if passed.any():
            found[node.output] = passed
    return None if ends.intersection(found) else MappingProxyType(found)


def _passed(graph: Graph, node: Node, own: Sequence[Array | None]) -> Array | None:
    """What the channels of a node's output are less by, given those of its inputs; None: unknown.

    A constant operand, or one that others make, is less by nothing.
    """
    channels = graph.tensor(node.output).type.channels
    if any(by is not None and len(by) != channels for by in own):
        return None
    if isinstance(node.op, AvgPool2D):
        return own[0] if node.op.divide and not any(node.op.counted) else None
    if isinstance(node.op, MaxPool2D):
        return own[0]
    if not isinstance(node.op, Add | Sub):
        return None
    sign = -1.0 if isinstance(node.op, Sub) else 1.0
    one, other = (np.zeros(channels) if by is None else by for by in own)
    made: Array = one + sign * other
    return None if made.any() and node.op.act != NO_CLAMP else made


def _can_add(graph: Graph, node: Node) -> bool:
    """Whether a constant of the input can go into the bias of a layer."""
    if not isinstance(node.op, Conv2D | Dense) or not takes_factors(graph, node):
        return False
    return isinstance(node.op, Dense) or not border_taps(graph.signature(node)).any()


def _constant(low: Array, high: Array, *, is_cut: bool) -> Array:
    """What each channel is moved by; nothing where the tensor's range hardly shrinks."""
    moved = (low + high) / 2
    if is_cut:
        moved = np.maximum(low - _ROOM * (high - low), 0.0)
    before, after = (_span(low - by, high - by) for by in (0.0, moved))
    worth = _LEAST_LEFT * before <= after < _LEAST_GAIN * before
    return moved.astype(np.float64) if worth else np.zeros(len(low))


def _span(low: Array, high: Array) -> float:
    found: Range = float(min(low.min(initial=0.0), 0.0)), float(max(high.max(initial=0.0), 0.0))
    return found[1] - found[0]


def _sums(node: Node, weights: Tensor, moved: Array) -> Array:
    """Of each output what a constant of each input channel adds."""
    assert weights.data is not None
    data = weights.data.astype(np.float64)
    if isinstance(node.op, Conv2D):
        taps = data.sum(axis=(1, 2))
        groups = moved.reshape(node.op.groups, -1)
        each = np.repeat(groups, len(taps) // node.op.groups, axis=0)
        found: Array = (taps * each).sum(axis=1)
        return found
    made: Array = data @ moved
    return made


def _add(edit: Editor, node: Node, by: Array) -> None:
    """Give a layer a bias of its own."""
    now = next(n for n in edit.nodes() if n.name == node.name)
    tensor = edit.tensor(now.inputs[2])
    assert tensor.data is not None
    name = edit.own_name(tensor.name)
    data = (tensor.data.astype(np.float64) + by).astype(np.float32)
    edit.set_tensor(replace(tensor, name=name, data=data, stored=None))
    edit.replace(now, replace(now, inputs=(*now.inputs[:2], name, *now.inputs[3:])))
