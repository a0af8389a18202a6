# SPDX-License-Identifier: Apache-2.0
"""Two layers of one input whose outputs are added or subtracted are one layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import NO_CLAMP
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Sub

__all__ = ["merge_layers"]


def merge_layers(graph: Graph) -> Graph:
    """Make one layer of two, so that their outputs are never rounded.

    Pattern: Add or Sub of two Conv2D of one geometry, or of two Dense, that read one tensor.
    Becomes: one such layer with the sum or difference of their weights and biases.
    Only if: they have no activation, and no weights or grids of the model file; others read
        what they make only where no more layers are left than there were.
    Exact because: both are linear; up to the rounding of float32.
    """
    every = _merged(graph, shared=True)
    return every if _layers(every) <= _layers(graph) else _merged(graph, shared=False)


def _layers(graph: Graph) -> int:
    return sum(isinstance(node.op, Conv2D | Dense) for node in graph.nodes)


def _merged(graph: Graph, *, shared: bool) -> Graph:
    """``shared``: also layers that others read, which stay for these."""
    editor = Editor(graph)
    for node in editor.nodes():
        if isinstance(node.op, Add | Sub) and len(node.inputs) == 2:
            _merge(editor, node, shared=shared)
    return editor.done()


def _merge(editor: Editor, node: Node, *, shared: bool) -> None:
    one, other = (editor.producer(name) for name in node.inputs)
    if one is None or other is None or one is other:
        return
    if not isinstance(one.op, Conv2D | Dense) or not isinstance(node.op, Add | Sub):
        return
    alike = one.op == other.op and one.inputs[0] == other.inputs[0] and one.op.act == NO_CLAMP
    alone = [_private(editor, name) for name in node.inputs]
    if not alike or any(_is_rounded(editor, name) for name in node.inputs):
        return
    if not (all(alone) or shared):
        return
    pairs = [[editor.tensor(layer.inputs[i]) for layer in (one, other)] for i in (1, 2)]
    if any(t.stored is not None or t.data is None for pair in pairs for t in pair):
        return
    sign = -1.0 if isinstance(node.op, Sub) else 1.0
    names: list[str] = []
    for a, b in pairs:
        assert a.data is not None
        assert b.data is not None
        if a.data.shape != b.data.shape:
            return
        merged = a.data.astype(np.float64) + sign * b.data.astype(np.float64)
        names.append(editor.constant(f"{node.output}_{len(names)}", merged))
    for layer, is_free in zip((one, other), alone, strict=True):
        if is_free:
            editor.replace(layer)
    op = replace(one.op, act=node.op.act)
    editor.replace(node, replace(node, op=op, inputs=(one.inputs[0], *names)))


def _private(editor: Editor, name: str) -> bool:
    """Whether one node alone reads a tensor, once."""
    return editor.only_consumer(name) is not None


def _is_rounded(editor: Editor, name: str) -> bool:
    """Whether the model says what a tensor is rounded to, or that it is not."""
    tensor = editor.tensor(name)
    return tensor.type.quant is not None or tensor.real
