# SPDX-License-Identifier: Apache-2.0
"""Padding done by the window that reads it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Op
from mcuplan.ir.types import TensorType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.movement import Transpose
from mcuplan.ops.pad import Pad
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.passes._edit import keeps_grid, with_quant

__all__ = ["fold_pad"]


def fold_pad(graph: Graph) -> Graph:
    """Let windows pad for themselves.

    Pattern: Pad of height and width with a constant, read by Conv2D, MaxPool2D or
        AvgPool2D, perhaps behind a Transpose.
    Becomes: windows with larger padding; the Transpose moves less.
    Only if: every reader can take it: a convolution and an average pad with 0 (which the
        average counts); a maximum with nothing, so the constant must not exceed what any
        window holds; both sides of the Pad lie on one grid, or on none.
    Exact because: the window reads the same numbers, and 0 lies on every grid.
    """
    editor = Editor(graph)
    folded = 0
    for node in editor.nodes():
        if isinstance(node.op, Transpose):
            _swap(editor, node, node.op.axes)
    for node in editor.nodes():
        if isinstance(node.op, Pad) and node.op.mode == "constant":
            folded += _fold(editor, node, node.op)
    return editor.done(Rewritten(Rewrite.PADDING_FOLDED, folded))


def _swap(editor: Editor, node: Node, axes: tuple[int, ...]) -> None:
    """Pad behind a Transpose instead of in front of it, where nobody else reads the border."""
    name = node.inputs[0]
    before = editor.producer(name)
    if before is None or not isinstance(before.op, Pad) or editor.only_consumer(name) is None:
        return
    if not keeps_grid(editor, name, node.output):
        return
    quant = editor.tensor(name).type.quant
    first = Node(before.name, Transpose(axes), before.inputs, (name,), node.origin)
    pad = replace(before.op, pads=tuple(before.op.pads[a] for a in axes))
    source = editor.tensor(before.inputs[0]).type
    shape = tuple(source.shape[a] for a in axes)
    editor.set_tensor(
        replace(editor.tensor(name), type=TensorType(shape, quant=source.quant), origin=None)
    )
    editor.set_tensor(with_quant(editor.tensor(node.output), quant))
    editor.replace(before, first)
    editor.replace(node, Node(node.name, pad, (name,), node.outputs, before.origin))


def _fold(editor: Editor, node: Node, pad: Pad) -> bool:
    readers = editor.consumers(node.output)
    spatial = len(pad.pads) == 4 and pad.pads[0] == pad.pads[3] == (0, 0)
    if not spatial or not readers or editor.is_output(node.output):
        return False
    if not keeps_grid(editor, node.inputs[0], node.output):
        return False
    merged = [_padded(editor, node, pad, reader) for reader in readers]
    if not all(merged):
        return False
    for reader, op in zip(readers, merged, strict=True):
        assert op is not None
        editor.replace(reader, replace(reader, op=op, inputs=(node.inputs[0], *reader.inputs[1:])))
    editor.replace(node)
    return True


def _padded(editor: Editor, node: Node, pad: Pad, reader: Node) -> Op | None:
    """The reader's operator with the padding added, None where it would compute others."""
    if reader.inputs.count(node.output) != 1 or reader.inputs[0] != node.output:
        return None
    rule = _RULES.get(type(reader.op))
    return rule(editor, node, pad, reader.op) if rule is not None else None


def _sum(pad: Pad, pads: tuple[int, ...]) -> tuple[int, ...]:
    (top, bottom), (left, right) = pad.pads[1:3]
    return (pads[0] + top, pads[1] + left, pads[2] + bottom, pads[3] + right)


def _conv(editor: Editor, node: Node, pad: Pad, op: Op) -> Op | None:
    assert isinstance(op, Conv2D)
    return replace(op, pads=_sum(pad, op.pads)) if pad.value == 0.0 else None


def _average(editor: Editor, node: Node, pad: Pad, op: Op) -> Op | None:
    assert isinstance(op, AvgPool2D)
    if pad.value != 0.0:
        return None
    made = replace(op, pads=_sum(pad, op.pads), counted=_sum(pad, op.counted))
    return made if _reaches(editor, node, made) else None


def _maximum(editor: Editor, node: Node, pad: Pad, op: Op) -> Op | None:
    assert isinstance(op, MaxPool2D)
    least = 0.0 if _not_negative(editor, node.inputs[0]) else float("-inf")
    if pad.value > least:
        return None
    made = replace(op, pads=_sum(pad, op.pads))
    return made if _reaches(editor, node, made) else None


def _reaches(editor: Editor, node: Node, op: AvgPool2D | MaxPool2D) -> bool:
    """Whether every window holds an element that is not padding."""
    _, h, w, _ = editor.tensor(node.inputs[0]).type.shape
    return all(int(op.taps((h, w), axis, 0, 0).min()) > 0 for axis in (0, 1))


def _not_negative(editor: Editor, name: str) -> bool:
    """Whether no value of a tensor can be below 0: by its grid, or by what makes it."""
    quant = editor.tensor(name).type.quant
    if quant is not None and quant.z == quant.dtype.low:
        return True
    producer = editor.producer(name)
    if producer is None:
        return False
    passes = producer.op.passes_grid
    least = 0.0 if passes and all(_not_negative(editor, n) for n in producer.inputs) else -math.inf
    return producer.op.limits([(least, math.inf)] * len(producer.inputs))[0] >= 0.0


_RULES: dict[type[Op], Callable[[Editor, Node, Pad, Op], Op | None]] = {
    AvgPool2D: _average,
    Conv2D: _conv,
    MaxPool2D: _maximum,
}
