# SPDX-License-Identifier: Apache-2.0
"""Means over all pixels that take their input row by row."""

from __future__ import annotations

import math
from dataclasses import replace

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.types import DType, TensorType
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.row_sum import MeanOfSum, RowSum

__all__ = ["gather_rows"]


def gather_rows(graph: Graph) -> Graph:
    """Let the sums of global averages grow as the rows of their input arrive.

    Pattern: AvgPool2D (a spatial mean or sum is one) of an int8 graph whose one window
        holds the whole input.
    Becomes: RowSum, which needs one row at a time, and MeanOfSum.
    Only if: the input is of int8 and has more rows than one.
    Exact because: the integer sum is the same in any order, and MeanOfSum divides or
        requantizes it as the pool does.
    """
    editor = Editor(graph)
    split = 0
    for node in editor.nodes():
        if isinstance(node.op, AvgPool2D):
            split += _split(editor, node, node.op)
    return editor.done()


def _split(editor: Editor, node: Node, op: AvgPool2D) -> bool:
    kind = editor.tensor(node.inputs[0]).type
    if kind.dtype is not DType.INT8 or len(kind.shape) != 4:
        return False
    _, height, width, channels = kind.shape
    held = tuple(int(op.taps((height, width), axis, 0, 0)[0]) for axis in (0, 1))
    single = math.prod(editor.tensor(node.output).type.shape) == channels
    if height == 1 or not single or held != (height, width):
        return False
    made = TensorType((1, 1, 1, channels), DType.INT32, kind.quant)
    sums = editor.set_tensor(Tensor(editor.fresh(f"{node.output}_sums"), made))
    mean = MeanOfSum(height * width, int(op.counts([kind]).item()))
    first = Node(editor.fresh(f"{node.name}_sums"), RowSum(), node.inputs, (sums,), node.origin)
    editor.replace(node, first, replace(node, op=mean, inputs=(sums,)))
    return True
