# SPDX-License-Identifier: Apache-2.0
"""Per-channel affine steps vanish in the weights before or behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.graph import Editor, Graph, Node, Stored, Tensor
from mcuplan.ir.op import NO_CLAMP
from mcuplan.ir.types import Array, Quant
from mcuplan.ops.batch_norm import ChannelAffine
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.movement import Reshape
from mcuplan.passes._edit import bypass, constant_of, counted, rename_output

__all__ = ["fold_batch_norm", "merge_affine"]


def merge_affine(graph: Graph) -> Graph:
    """Make one affine step of two.

    Pattern: ChannelAffine behind a ChannelAffine that nobody else reads.
    Becomes: one ChannelAffine.
    Only if: the tensor between lies on no grid.
    Exact because: (x * a + b) * c + d = x * (a * c) + (b * c + d), computed in double.
    """
    editor = Editor(graph)
    merged = 0
    for node in editor.nodes():
        first = editor.producer(node.inputs[0])
        if not isinstance(node.op, ChannelAffine) or first is None:
            continue
        if not isinstance(first.op, ChannelAffine) or not _private(editor, node.inputs[0]):
            continue
        a, b = (constant_of(editor, name) for name in first.inputs[1:])
        c, d = (constant_of(editor, name) for name in node.inputs[1:])
        scale = editor.constant(node.inputs[1], a * c)
        offset = editor.constant(node.inputs[2], b * c + d)
        editor.replace(first)
        editor.replace(node, replace(node, inputs=(first.inputs[0], scale, offset)))
        merged += 1
    return editor.done(counted("merge_affine", merged, "affine steps merged with the one before"))


def fold_batch_norm(graph: Graph) -> Graph:
    """Fold affine steps into the convolution or dense layer on either side.

    Pattern: Conv2D or Dense, views, ChannelAffine; or ChannelAffine, views, Conv2D or Dense.
    Becomes: the layer with other weights and bias.
    Only if: in front: the layer has no activation, and nobody else reads or rounds what
        lies between. Behind: all readers can take it; a convolution that pads with zeros
        takes no offset; weights that the model stores as integers take no scale.
    Exact because: both are linear in each channel; folded in double.
    """
    editor = Editor(graph)
    folded = 0
    for node in editor.nodes():
        if isinstance(node.op, ChannelAffine):
            folded += _fold_back(editor, node) or _fold_forward(editor, node)
    return editor.done(
        counted(
            "fold_batch_norm", folded, "per-channel steps folded into convolutions and dense layers"
        )
    )


def _private(editor: Editor, name: str) -> bool:
    """Whether one node alone reads a tensor, and nothing rounds it."""
    return editor.only_consumer(name) is not None and editor.tensor(name).type.quant is None


# -- into the layer in front ----------------------------------------------------------------


def _fold_back(editor: Editor, node: Node) -> bool:
    """Fold into the layer that makes the input, through views."""
    name = node.inputs[0]
    between = [name]
    producer = editor.producer(name)
    while producer is not None and isinstance(producer.op, Reshape) and _private(editor, name):
        name = producer.inputs[0]
        between.append(name)
        producer = editor.producer(name)
    if producer is None or not _private(editor, name):
        return False
    if not isinstance(producer.op, Conv2D | Dense) or producer.op.act != NO_CLAMP:
        return False
    channels = editor.tensor(name).type.shape[-1]
    factors = [_per_channel(constant_of(editor, c), channels) for c in node.inputs[1:]]
    scale, offset = factors
    if scale is None or offset is None:
        return False
    weights = _scaled_outputs(editor.tensor(producer.inputs[1]), scale)
    bias = _affine_bias(editor, producer.inputs[2], node.inputs[2], scale, offset)
    inputs = (
        producer.inputs[0],
        editor.constant(producer.inputs[1], weights.data, weights.stored),
        editor.constant(producer.inputs[2], bias.data, bias.stored),
    )
    editor.replace(producer, replace(producer, inputs=inputs))
    for other in between[1:]:
        editor.set_tensor(replace(editor.tensor(other), origin=None))
    rename_output(editor, node)
    return True


@dataclass(frozen=True, slots=True)
class _Value:
    """A constant being made."""

    data: Array
    stored: Stored | None = None


def _per_channel(values: Array, channels: int) -> Array | None:
    """Values along the last axis as one per channel of the tensor before the views."""
    if values.size % channels:
        return None
    rows = values.reshape(-1, channels)
    return rows[0] if bool((rows == rows[0]).all()) else None


def _scaled_outputs(weights: Tensor, scale: Array) -> _Value:
    """Weights with each output channel times a factor; stored integers keep their values."""
    assert weights.data is not None
    column = scale.reshape(-1, *(1,) * (weights.data.ndim - 1))
    data = weights.data.astype(np.float64) * column
    stored = weights.stored
    if stored is None or bool((scale == 1.0).all()):
        return _Value(data, stored)
    if stored.quant.axis not in (None, 0) or bool((scale <= 0.0).any()):
        return _Value(data)
    many = len(scale) // len(stored.quant.scale)
    scales = tuple(float(s) for s in np.tile(stored.quant.scale, many) * scale)
    quant = Quant(scales, stored.quant.zero_point * many, 0)
    return _Value(data, Stored(stored.values, quant))


def _affine_bias(
    editor: Editor, bias: str, offset_name: str, scale: Array, offset: Array
) -> _Value:
    """The folded bias; an added bias keeps its stored integers where it replaces zeros."""
    old = editor.tensor(bias)
    value = constant_of(editor, bias) * scale + offset
    if not (scale == 1.0).all():
        return _Value(value)
    if not offset.any():
        return _Value(value, old.stored)
    added = editor.tensor(offset_name)
    alone = not constant_of(editor, bias).any() and added.type.shape == old.type.shape
    return _Value(value, added.stored if alone else None)


# -- into the layers behind -----------------------------------------------------------------


def _fold_forward(editor: Editor, node: Node) -> bool:
    """Fold into every layer that reads the output, through views."""
    scale, offset = (constant_of(editor, name) for name in node.inputs[1:])
    readers = _layers_behind(editor, node.output)
    if readers is None or editor.tensor(node.inputs[0]).type.shape[-1] != scale.size:
        return False
    names, layers = readers
    made = [_absorbed(editor, layer, scale, offset) for layer in layers]
    if not made or any(inputs is None for inputs in made):
        return False
    for layer, inputs in zip(layers, made, strict=True):
        assert inputs is not None
        new = (
            layer.inputs[0],
            editor.constant(layer.inputs[1], inputs[0].data, inputs[0].stored),
            editor.constant(layer.inputs[2], inputs[1].data, inputs[1].stored),
        )
        editor.replace(layer, replace(layer, inputs=new))
    for name in names:
        editor.set_tensor(replace(editor.tensor(name), origin=None))
    bypass(editor, node, node.inputs[0])
    return True


def _layers_behind(editor: Editor, name: str) -> tuple[list[str], list[Node]] | None:
    """Tensors between and layers that read a tensor through views; None if anything else does."""
    names: list[str] = []
    layers: list[Node] = []
    waiting = [name]
    while waiting:
        name = waiting.pop()
        names.append(name)
        if editor.is_output(name) or editor.tensor(name).type.quant is not None:
            return None
        for reader in editor.consumers(name):
            if isinstance(reader.op, Reshape):
                waiting.append(reader.output)
            elif isinstance(reader.op, Conv2D | Dense) and reader.inputs.count(name) == 1:
                layers.append(reader)
            else:
                return None
    return names, layers


def _absorbed(
    editor: Editor, layer: Node, scale: Array, offset: Array
) -> tuple[_Value, _Value] | None:
    """Weights and bias that take in an affine step of the input, None where not exact."""
    weights = editor.tensor(layer.inputs[1])
    channels = editor.tensor(layer.inputs[0]).type.shape[-1]
    padded = isinstance(layer.op, Conv2D) and any(layer.op.pads)
    if channels % scale.size or (padded and offset.any()):
        return None
    if weights.stored is not None and not (scale == 1.0).all():
        return None
    assert weights.data is not None
    many = channels // scale.size
    wide_scale, wide_offset = np.tile(scale, many), np.tile(offset, many)
    if isinstance(layer.op, Conv2D):
        groups = layer.op.groups
        per_group = len(weights.data) // groups
        rows = np.repeat(wide_scale.reshape(groups, -1), per_group, axis=0)
        added = np.repeat(wide_offset.reshape(groups, -1), per_group, axis=0)
        rows, added = rows[:, None, None, :], added[:, None, None, :]
    else:
        rows, added = wide_scale[None, :], wide_offset[None, :]
    exact = weights.data.astype(np.float64)
    extra = (exact * added).reshape(len(exact), -1).sum(axis=1)
    old = editor.tensor(layer.inputs[2])
    bias = _Value(constant_of(editor, layer.inputs[2]) + extra, None if extra.any() else old.stored)
    return _Value(exact * rows, weights.stored), bias
