# SPDX-License-Identifier: Apache-2.0
"""Lines of pixels [1,1,W,C] that become rows of one pixel, so that they can come and go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.ir.editor import Editor
from mcuplan.ir.geometry import ALL, SAME
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.op import Op
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.min_pool import MinPool2D
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.passes._edit import bypass
from mcuplan.passes.drop_dead import drop_dead

__all__ = ["rows_of_lines"]

_TURNED = (0, 2, 1, 3)
_Windowed = Conv2D | AvgPool2D | MaxPool2D | MinPool2D


def rows_of_lines(graph: Graph) -> Graph:
    """Let height and width change places where the height is 1.

    Pattern: windows over lines [1,1,W,C] of an int8 graph, nodes between them that treat
        every pixel alike, and the Transpose that makes a line of planes [1,C,1,W].
    Becomes: the same on rows of one pixel [1,W,1,C]; a kernel of (1, k) is one of (k, 1).
        Where other nodes read or make the line, a Reshape lies between; an input has rows.
    Only if: some window of several pixels is among them.
    Exact because: no byte changes its place, and the same products are summed.
    """
    edit = Editor(graph)
    windows = 0
    for node in edit.nodes():
        op = _turned(edit, node)
        if op is not None:
            windows += _slides(node.op)
            _turn(edit, node, op)
    if not windows:
        return graph
    made, before = edit.done(), graph
    while made is not before:  # reshapes there and back go
        made, before = drop_dead(made), made
    return _with_inputs(made)


def _turned(edit: Editor, node: Node) -> Op | None:
    """The operator with height and width exchanged, None where a line is no line to it."""
    sig = edit.signature(node)
    if _moves_planes(node):
        return node.op if sig.inputs[0].shape[2] == 1 < sig.inputs[0].shape[3] else None
    kinds = [kind for kind, value in zip(sig.inputs, sig.constants, strict=True) if value is None]
    shapes = [kind.shape for kind in (*kinds, sig.output)]
    if not kinds or any(len(s) != 4 or s[:2] != (1, 1) for s in shapes):
        return None
    if max(shape[2] for shape in shapes) == 1:
        return None
    op = node.op
    if isinstance(op, AvgPool2D):
        op = replace(op, counted=_turned_pads(op.counted))
    if isinstance(op, _Windowed):
        sizes = {n: getattr(op, n)[::-1] for n in ("kernel", "stride", "dilation")}
        return replace(op, pads=_turned_pads(op.pads), **sizes)
    pixelwise = all(own[:3] == (SAME,) * 3 and own[3] in (SAME, ALL) for own in sig.maps[:1])
    return op if sig.is_elementwise or (pixelwise and len(kinds) == 1) else None


def _with_inputs(graph: Graph) -> Graph:
    """Inputs that are read as rows alone have them: the same bytes."""
    edit = Editor(graph)
    for port in graph.inputs:
        reader = edit.only_consumer(port.tensor)
        if reader is not None and isinstance(reader.op, Reshape):
            source, rows = edit.tensor(port.tensor), edit.tensor(reader.output).type
            shapes = source.type.shape, rows.shape
            one, other = ([n for n in shape if n != 1] for shape in shapes)
            if len(shapes[0]) == len(shapes[1]) == 4 and one == other:
                edit.set_tensor(replace(source, type=rows))
                bypass(edit, reader, port.tensor)
    return edit.done()


def _moves_planes(node: Node) -> bool:
    """Whether a node makes pixels of planes, as in front of a network of such a model."""
    return isinstance(node.op, Transpose) and node.op.axes == (0, 2, 3, 1)


def _turned_pads(pads: tuple[int, ...]) -> tuple[int, ...]:
    top, left, bottom, right = pads
    return left, top, right, bottom


def _slides(op: Op) -> bool:
    """Whether windows of several pixels lie along the line."""
    return isinstance(op, _Windowed) and op.kernel[1] > 1


def _turn(edit: Editor, node: Node, op: Op) -> None:
    """The node between reshapes of what it reads and makes; constants are moved here."""
    views: list[Node] = []
    planes = (0, 1, 3, 2) if _moves_planes(node) else _TURNED
    names = {name: _rows(edit, name, planes) for name in dict.fromkeys(node.inputs)}
    names[node.output] = _rows(edit, node.output)
    for name, fresh in names.items():
        tensor = edit.tensor(fresh)
        if fresh != name and name != node.output and not tensor.is_constant:
            view = Reshape(tensor.type.shape)
            views.append(Node(edit.fresh(f"{fresh}_view"), view, (name,), (fresh,)))
    made = names[node.output]
    moved = replace(node, op=op, inputs=tuple(names[n] for n in node.inputs), outputs=(made,))
    back = Reshape(edit.tensor(node.output).type.shape)
    last = Node(edit.fresh(f"{made}_view"), back, (made,), node.outputs, node.origin)
    edit.replace(node, *views, moved, last)


def _rows(edit: Editor, name: str, turned: tuple[int, ...] = _TURNED) -> str:
    """A tensor with two axes exchanged, itself where it has none or both are of size 1."""
    tensor = edit.tensor(name)
    shape, origin = tensor.type.shape, tensor.origin
    if len(shape) != 4 or (shape[1:3] == (1, 1) and turned == _TURNED):
        return name
    kind = replace(tensor.type, shape=tuple(shape[axis] for axis in turned))
    if origin is not None:
        origin = replace(origin, layout=tuple(origin.layout[axis] for axis in turned))
    data = None if tensor.data is None else np.ascontiguousarray(tensor.data.transpose(turned))
    fresh = edit.fresh(f"{name}_rows")
    return edit.set_tensor(Tensor(fresh, kind, data, origin))
