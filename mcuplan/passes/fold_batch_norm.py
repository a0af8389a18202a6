# SPDX-License-Identifier: Apache-2.0
"""Per-channel affine steps vanish in the weights before or behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.geometry import SAME, is_single
from mcuplan.ir.graph import Graph, Node, Stored, Tensor
from mcuplan.ir.op import NO_CLAMP, QuantRule, Signature
from mcuplan.ir.types import Array
from mcuplan.ops.batch_norm import ChannelAffine
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv3d import Conv3D
from mcuplan.ops.dense import Dense
from mcuplan.ops.movement import Reshape
from mcuplan.ops.normalize import Normalize
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.unary import Lookup
from mcuplan.passes._edit import bypass, constant_of, rename_output

__all__ = ["fold_batch_norm", "merge_affine"]

_LAYERS = Conv2D | Conv3D | Dense | Normalize
"""That take an affine step behind them into what they add and multiply with."""


def merge_affine(graph: Graph) -> Graph:
    """Make one affine step of two.

    Pattern: ChannelAffine behind a ChannelAffine that nobody else reads; either may be a
        Lookup of one affine function.
    Becomes: one ChannelAffine.
    Only if: the tensor between lies on no grid.
    Exact because: (x * a + b) * c + d = x * (a * c) + (b * c + d), computed in double.
    """
    editor = Editor(graph)
    merged = 0
    for node in editor.nodes():
        second = _affine_of(editor, node)
        before = editor.producer(node.inputs[0]) if second is not None else None
        if before is None or second is None or not _private(editor, node.inputs[0]):
            continue
        first = _affine_of(editor, before)
        if first is None or ChannelAffine not in (type(before.op), type(node.op)):
            continue
        scale = editor.constant(f"{node.output}_scale", first.scale * second.scale)
        offset = editor.constant(
            f"{node.output}_offset", first.offset * second.scale + second.offset
        )
        editor.replace(before)
        inputs = (before.inputs[0], scale, offset)
        editor.replace(node, replace(node, op=ChannelAffine(), inputs=inputs))
        merged += 1
    return editor.done(Rewritten(Rewrite.AFFINE_MERGED, merged))


def fold_batch_norm(graph: Graph) -> Graph:
    """Fold affine steps into the convolution or dense layer on either side.

    Pattern: Conv2D, Conv3D, Dense or Normalize, views, moves and pools, ChannelAffine (or a
        Lookup of one affine function); or, but for Conv3D and Normalize, the other way round.
    Becomes: the layer with other weights and bias, gains and offsets.
    Only if: in front: the layer has no activation, and nobody else reads or rounds what
        lies between. Behind: all readers can take it; a convolution that pads with zeros
        takes no offset; weights that the model stores as integers take no scale. Between:
        a maximum needs positive scales, an average that counts padding no offset.
    Exact because: both are linear in each channel, and so are averages; positive scales
        keep the order of values. Folded in double.
    """
    editor = Editor(graph)
    folded = 0
    for node in editor.nodes():
        affine = _affine_of(editor, node)
        if affine is not None:
            folded += _fold_back(editor, node, affine) or _fold_forward(editor, node, affine)
    return editor.done(Rewritten(Rewrite.AFFINE_FOLDED, folded))


@dataclass(frozen=True, slots=True)
class _Affine:
    """Scale and offset of each channel of an affine step, in double."""

    scale: Array
    offset: Array
    stored: Stored | None = None  # of the offset


def _affine_of(editor: Editor, node: Node) -> _Affine | None:
    """What a node does to each channel, None where it is no affine step."""
    if isinstance(node.op, ChannelAffine):
        scale, offset = (constant_of(editor, name) for name in node.inputs[1:])
        return _Affine(scale, offset, editor.tensor(node.inputs[2]).stored)
    if isinstance(node.op, Lookup) and [fn.name for fn in node.op.chain] == ["affine"]:
        channels = editor.tensor(node.output).type.channels
        scale, offset = (np.full(channels, value) for value in node.op.chain[0].parameters)
        return _Affine(scale, offset)
    return None


def _private(editor: Editor, name: str) -> bool:
    """Whether one node alone reads a tensor, and nothing rounds it."""
    return editor.only_consumer(name) is not None and editor.tensor(name).type.quant is None


def _commutes(sig: Signature, affine: _Affine) -> bool:
    """Whether an affine step may stand on either side of a node."""
    op = sig.op
    if isinstance(op, MaxPool2D):
        return bool((affine.scale > 0.0).all())
    if isinstance(op, AvgPool2D):
        return not affine.offset.any() or (op.divide and not any(op.counted))
    return isinstance(op, Reshape) or _moves(sig, alike=affine.scale.size == 1)


def _moves(sig: Signature, *, alike: bool) -> bool:
    """Whether elements only change places, within their channel unless all are alike."""
    if sig.op.quant_rule is not QuantRule.PASS_THROUGH or sig.op.mixes or len(sig.inputs) != 1:
        return False
    own = sig.maps[0]
    within = alike or (len(own) == len(sig.output.shape) and own[-1] == SAME)
    return within and all(map(is_single, own))


# -- into the layer in front ----------------------------------------------------------------


def _fold_back(editor: Editor, node: Node, affine: _Affine) -> bool:
    """Fold into the layer that makes the input, through what commutes with the step."""
    name = node.inputs[0]
    between = [name]
    producer = editor.producer(name)
    while (
        producer is not None
        and _private(editor, name)
        and _commutes(editor.signature(producer), affine)
    ):
        name = producer.inputs[0]
        between.append(name)
        producer = editor.producer(name)
    if producer is None or not _private(editor, name):
        return False
    if not isinstance(producer.op, _LAYERS) or producer.op.act != NO_CLAMP:
        return False
    channels = editor.tensor(name).type.shape[-1]
    scale, offset = (_per_channel(values, channels) for values in (affine.scale, affine.offset))
    if scale is None or offset is None:
        return False
    stored = affine.stored if affine.offset.shape == offset.shape else None
    editor.replace(producer, _with_affine(editor, producer, _Affine(scale, offset, stored)))
    for other in between[1:]:
        editor.set_tensor(replace(editor.tensor(other), origin=None))
    rename_output(editor, node)
    return True


def _with_affine(editor: Editor, layer: Node, affine: _Affine) -> Node:
    """A layer, or a normalization, with an affine step behind it."""
    if isinstance(layer.op, Normalize):
        gains = np.array(layer.op.gains) * affine.scale
        offsets = np.array(layer.op.offsets) * affine.scale + affine.offset
        op = replace(layer.op, gains=tuple(gains.tolist()), offsets=tuple(offsets.tolist()))
        return replace(layer, op=op)
    weights = _scaled_outputs(editor.tensor(layer.inputs[1]), affine.scale)
    bias = _affine_bias(editor, layer.inputs[2], affine)
    inputs = (
        layer.inputs[0],
        editor.constant(layer.inputs[1], weights.data, weights.stored),
        editor.constant(layer.inputs[2], bias.data, bias.stored),
    )
    return replace(layer, inputs=inputs)


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
    points = stored.quant.zero_point * many
    quant = replace(stored.quant, scale=scales, zero_point=points, axis=0)
    return _Value(data, Stored(stored.values, quant))


def _affine_bias(editor: Editor, bias: str, affine: _Affine) -> _Value:
    """The folded bias; an added bias keeps its stored integers where it replaces zeros."""
    old = editor.tensor(bias)
    before = constant_of(editor, bias)
    value = before * affine.scale + affine.offset
    if not (affine.scale == 1.0).all():
        return _Value(value)
    if not affine.offset.any():
        return _Value(value, old.stored)
    return _Value(value, None if before.any() else affine.stored)


# -- into the layers behind -----------------------------------------------------------------


def _fold_forward(editor: Editor, node: Node, affine: _Affine) -> bool:
    """Fold into every layer that reads the output, through views.

    A step that is the same for all channels passes a Transpose, too.
    """
    if np.unique(affine.scale).size == np.unique(affine.offset).size == 1:
        affine = _Affine(affine.scale[:1], affine.offset[:1], affine.stored)
    readers = _layers_behind(editor, node.output, affine)
    if readers is None:
        return False
    names, layers = readers
    made = [_absorbed(editor, layer, affine.scale, affine.offset) for layer in layers]
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


def _layers_behind(
    editor: Editor, name: str, affine: _Affine
) -> tuple[list[str], list[Node]] | None:
    """Tensors between and layers that read a tensor; None if anything else reads it."""
    names: list[str] = []
    layers: list[Node] = []
    waiting = [name]
    while waiting:
        name = waiting.pop()
        names.append(name)
        if editor.is_output(name) or editor.tensor(name).type.quant is not None:
            return None
        for reader in editor.consumers(name):
            if _commutes(editor.signature(reader), affine):
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
