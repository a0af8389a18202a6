# SPDX-License-Identifier: Apache-2.0
"""Operations with a constant become affine steps or tables, which other passes can fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.ir.builder import Constant
from mcuplan.ir.graph import Editor, Graph, Node, Stored, Tensor
from mcuplan.ir.op import NO_CLAMP, Op
from mcuplan.ir.types import Array
from mcuplan.ops._broadcast import Binary
from mcuplan.ops.batch_norm import ChannelAffine
from mcuplan.ops.eltwise import Add, Div, Maximum, Minimum, Mul, Sub
from mcuplan.ops.unary import Lookup, clip
from mcuplan.passes._edit import constant_of, counted

__all__ = ["fold_operands"]


def fold_operands(graph: Graph) -> Graph:
    """State what an operation with a constant does to each channel.

    Pattern: Add, Sub, Mul or Div of an activation and a constant with one value per
        channel; Maximum or Minimum with one value.
    Becomes: ChannelAffine; a Lookup that clamps.
    Only if: the activation has the shape of the result; no activation is fused; the
        constant does not stand below a fraction, and is not 0 there above.
    Exact because: x + c = x * 1 + c, x * c = x * c + 0, and so on.
    """
    editor = Editor(graph)
    steps = 0
    for node in editor.nodes():
        if isinstance(node.op, Binary) and node.op.act == NO_CLAMP:
            steps += _fold(editor, node)
    return editor.done(
        counted("fold_operands", steps, "operations with a constant taken as per-channel steps")
    )


def _fold(editor: Editor, node: Node) -> bool:
    tensors = [editor.tensor(name) for name in node.inputs]
    if [t.is_constant for t in tensors].count(True) != 1:
        return False
    first = tensors[0].is_constant
    constant, x = (tensors[0], tensors[1]) if first else (tensors[1], tensors[0])
    kind = x.type
    per_channel = constant.type.elements in (1, constant.type.channels)
    if kind.shape != editor.tensor(node.output).type.shape or not per_channel:
        return False
    if isinstance(node.op, Maximum | Minimum):
        return _clamp(editor, node, x, constant)
    values = np.broadcast_to(constant_of(editor, constant.name).reshape(-1), (kind.channels,))
    pair = _affine(node.op, values, first)
    if pair is None:
        return False
    stored = _stored(constant, kind.channels) if isinstance(node.op, Add) else None
    scale = editor.constant(f"{node.output}_scale", pair[0])
    offset = editor.constant(f"{node.output}_offset", pair[1], stored)
    editor.replace(node, replace(node, op=ChannelAffine(), inputs=(x.name, scale, offset)))
    return True


def _affine(op: Op, values: Array, first: bool) -> tuple[Array, Array] | None:
    """Scale and offset of an operation with a constant (its first operand or second)."""
    ones, zeros = np.ones_like(values), np.zeros_like(values)
    if isinstance(op, Add):
        return ones, values
    if isinstance(op, Sub):
        return (-ones, values) if first else (ones, -values)
    if isinstance(op, Mul):
        return values, zeros
    if isinstance(op, Div) and not first and values.all():
        return 1.0 / values, zeros
    return None


def _clamp(editor: Editor, node: Node, x: Tensor, constant: Tensor) -> bool:
    if constant.type.elements != 1:
        return False
    value = float(constant_of(editor, constant.name).reshape(-1)[0])
    ends = (value, float("inf")) if isinstance(node.op, Maximum) else (float("-inf"), value)
    editor.replace(node, replace(node, op=Lookup((clip(*ends),)), inputs=(x.name,)))
    return True


def _stored(constant: Tensor, channels: int) -> Stored | None:
    """Integers of a constant of one value per channel, as a vector."""
    assert constant.data is not None
    if constant.stored is None or constant.data.size != channels:
        return None
    return Constant(constant.data, constant.stored).reshape((channels,)).stored
