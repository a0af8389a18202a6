# SPDX-License-Identifier: Apache-2.0
"""Relu and Clip become the limits of the node in front."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.ops.pool2d import MaxPool2D
from mcuplan.ops.unary import Lookup
from mcuplan.passes._edit import bypass, rename_output

__all__ = ["fuse_activation"]


def fuse_activation(graph: Graph) -> Graph:
    """Clamp in the node that computes the values.

    Pattern: a node that can clamp, data movements or maxima, a Relu or Clip.
    Becomes: the node with limits.
    Only if: nobody else reads what lies between, and nothing rounds it, or to a grid that the
        limits and the result lie on. On such a grid, limits that it ends in are left out.
    Exact because: clamping twice is clamping to the limits clamped; it treats every
        element alike and keeps their order, so moving and selecting them does not matter,
        nor does rounding, which keeps order and values of its grid.
    """
    editor = Editor(graph)
    fused = 0
    for node in editor.nodes():
        if isinstance(node.op, Lookup) and node.op.clamp is not None:
            fused += _leave_out(editor, node) or _fuse(editor, node, node.op.clamp)
    return editor.done(Rewritten(Rewrite.ACTIVATION_FUSED, fused))


def _leave_out(editor: Editor, node: Node) -> bool:
    """Remove a clamp to no less than the grid that its input and output lie on."""
    quant = editor.tensor(node.output).type.quant
    if not isinstance(node.op, Lookup) or node.op.clamp is None or quant is None:
        return False
    (low, high), ends = node.op.clamp, quant.ends
    if editor.tensor(node.inputs[0]).type.quant != quant or low > ends[0] or high < ends[1]:
        return False
    bypass(editor, node, node.inputs[0])
    return True


def _is_rounded(editor: Editor, name: str, node: Node, limits: tuple[float, float]) -> bool:
    """Whether a tensor lies on a grid that clamping must come behind."""
    quant = editor.tensor(name).type.quant
    if quant is None:
        return False
    same = editor.tensor(node.output).type.quant == quant
    return not (same and all(quant.keeps(end) for end in limits))


def _fuse(editor: Editor, node: Node, limits: tuple[float, float]) -> bool:
    between: list[str] = []
    name = node.inputs[0]
    while True:
        if editor.only_consumer(name) is None or _is_rounded(editor, name, node, limits):
            return False
        producer = editor.producer(name)
        if producer is None or not isinstance(producer.op, MaxPool2D | Reshape | Transpose):
            break
        name = producer.inputs[0]
        between.append(name)
    if producer is None or not producer.op.fuses_activation:
        return False
    op: Any = producer.op
    low, high = (min(max(end, limits[0]), limits[1]) for end in op.act)
    editor.replace(producer, replace(producer, op=replace(op, act=(low, high))))
    for name in between:
        editor.set_tensor(replace(editor.tensor(name), origin=None))
    rename_output(editor, node)
    return True
