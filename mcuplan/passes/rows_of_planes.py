# SPDX-License-Identifier: Apache-2.0
"""Inputs in planes of channels (NCHW) whose rows are read, or arrive, one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Port, Tensor
from mcuplan.ops.interleave import Interleave
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.passes._edit import moved_axes, rename_output

__all__ = ["rows_of_planes"]


def rows_of_planes(graph: Graph, *, fed: bool = False) -> Graph:
    """Let rows of planes become rows of pixels one by one.

    Pattern: an input [1,C,H,W] (fed: [1,C,T] too) that is moved to the order of the layers,
        by a Transpose or, with one channel, a Reshape; element-wise nodes may lie between.
    Becomes: Interleave of an input [1,C*H,W], which has a row for each row of each plane;
        with one channel an input [1,H,W,1]. A fed input is one of pixels, and its port says
        that its rows arrive as planes. What lies between works on pixels.
    Only if: elements are bytes, nobody else reads the input, and constants between have its
        rank or one element.
    Exact because: the bytes of the input are the same, and elements only change places.
    """
    edit = Editor(graph)
    ways = [(port, _way(edit, port)) for port in graph.inputs]
    taken = [way for _, way in ways if way is not None and (fed or way.by_rows)]
    if not taken:
        return graph
    made = [_changed(edit, port, way, fed) if way in taken else port for port, way in ways]
    edit.set_ports(made, None)
    return edit.done()


@dataclass(frozen=True, slots=True)
class _Way:
    """From an input to pixels: element-wise nodes, and the one that moves axes."""

    source: str
    between: tuple[Node, ...]
    mover: Node
    shape: tuple[int, ...]  # of the input
    axes: tuple[int, ...]

    @property
    def by_rows(self) -> bool:
        """Whether rows of an input that is held can be read one by one."""
        return self.shape[1] == 1 or (len(self.shape) == 4 and self.shape[3] > 1)


def _way(edit: Editor, port: Port) -> _Way | None:
    between: list[Node] = []
    name, kind = port.tensor, edit.tensor(port.tensor).type
    shape = kind.shape
    if kind.dtype.nbytes() != 1:
        return None
    while (node := edit.only_consumer(name)) is not None:
        axes = _axes(node, shape)
        if axes is not None:
            found = _Way(port.tensor, (*between,), node, shape, axes)
            return None if edit.is_output(node.output) else found
        if not _carries(edit, node, name, shape):
            return None
        between.append(node)
        name = node.output
    return None


def _axes(node: Node, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes of a node that moves channels behind the rest."""
    if len(shape) not in (3, 4) or shape[0] != 1:
        return None
    axes = (0, *range(2, len(shape)), 1)
    if isinstance(node.op, Transpose):
        return axes if node.op.axes == axes else None
    same = isinstance(node.op, Reshape) and node.op.shape == tuple(shape[a] for a in axes)
    return axes if same and shape[1] == 1 else None


def _carries(edit: Editor, node: Node, name: str, shape: tuple[int, ...]) -> bool:
    """Whether a node treats every position of the input alike, with constants that can move."""
    others = [edit.tensor(other) for other in node.inputs if other != name]
    kinds = [tensor.type for tensor in others]
    return (
        edit.signature(node).is_elementwise
        and edit.tensor(node.output).type.shape == shape
        and all(tensor.is_constant for tensor in others)
        and all(kind.elements == 1 or len(kind.shape) == len(shape) for kind in kinds)
        and all(kind.quant is None or kind.quant.axis is None for kind in kinds)
    )


def _changed(edit: Editor, port: Port, way: _Way | None, fed: bool) -> Port:
    """The port of an input whose rows are read, or come, one by one."""
    assert way is not None
    source, mover = edit.tensor(port.tensor), way.mover
    channels, image = way.shape[1], len(way.shape) == 4
    pixels = moved_axes(source, way.axes)
    if fed or channels == 1:
        edit.set_tensor(pixels if fed else replace(pixels, origin=source.origin))
        _let_through(edit, way, source.name)
        if channels == 1:
            return port
        before = port.layout or tuple(range(len(port.shape)))
        layout = tuple(before[axis] for axis in way.axes)
        return replace(port, layout=layout, planes=channels if image else 0)
    _, _, height, width = way.shape
    kind = replace(source.type, shape=(1, channels * height, width))
    edit.set_tensor(replace(source, type=kind))
    if not way.between:
        edit.replace(mover, replace(mover, op=Interleave(channels)))
        return port
    name = edit.set_tensor(replace(pixels, name=edit.fresh(f"{source.name}_pixels")))
    _let_through(edit, way, name)
    (first,) = edit.consumers(name)
    node = Node(edit.fresh(f"{first.name}_pixels"), Interleave(channels), (source.name,), (name,))
    edit.replace(first, replace(node, origin=mover.origin), first)
    return port


def _let_through(edit: Editor, way: _Way, source: str) -> None:
    """Leave out the mover: what lies between works on pixels, from ``source`` on."""
    if not way.between:
        edit.replace(way.mover)
        edit.rewire(way.mover.output, source)
        return
    before = way.source
    for node in way.between:
        inputs = [source if n == before else _constant(edit, n, way.axes) for n in node.inputs]
        before, made = node.output, moved_axes(edit.tensor(node.output), way.axes)
        source = edit.set_tensor(replace(made, name=edit.fresh(f"{before}_pixels")))
        edit.replace(node, replace(node, inputs=tuple(inputs), outputs=(source,)))
    mover = replace(way.mover, inputs=(source,))
    edit.replace(way.mover, mover)
    rename_output(edit, mover)


def _constant(edit: Editor, name: str, axes: tuple[int, ...]) -> str:
    """A constant in the order of pixels."""
    tensor = edit.tensor(name)
    assert tensor.data is not None
    if tensor.type.elements == 1:
        return name
    data = np.ascontiguousarray(tensor.data.transpose(axes))
    kind = replace(tensor.type, shape=data.shape)
    moved = Tensor(edit.fresh(f"{name}_pixels"), kind, data, tensor.origin)
    return edit.set_tensor(moved)
