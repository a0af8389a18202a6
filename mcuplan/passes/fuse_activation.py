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
from mcuplan.passes._edit import rename_output

__all__ = ["fuse_activation"]


def fuse_activation(graph: Graph) -> Graph:
    """Clamp in the node that computes the values.

    Pattern: a node that can clamp, data movements or maxima, a Relu or Clip.
    Becomes: the node with limits.
    Only if: nobody else reads what lies between, and nothing rounds it.
    Exact because: clamping twice is clamping to the limits clamped; it treats every
        element alike and keeps their order, so moving and selecting them does not matter.
    """
    editor = Editor(graph)
    fused = 0
    for node in editor.nodes():
        if isinstance(node.op, Lookup) and node.op.clamp is not None:
            fused += _fuse(editor, node, node.op.clamp)
    return editor.done(Rewritten(Rewrite.ACTIVATION_FUSED, fused))


def _fuse(editor: Editor, node: Node, limits: tuple[float, float]) -> bool:
    between: list[str] = []
    name = node.inputs[0]
    while True:
        if editor.only_consumer(name) is None or editor.tensor(name).type.quant is not None:
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
