# SPDX-License-Identifier: Apache-2.0
"""Images of other rows and columns, and what that makes of the shapes behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcuplan.errors import McuplanError, UsageError
from mcuplan.ir.editor import Editor
from mcuplan.ir.geometry import SAME
from mcuplan.ir.graph import Graph, Node, Port, Tensor
from mcuplan.ir.op import Op
from mcuplan.ir.types import TensorType
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.movement import Reshape, Transpose, axis_groups
from mcuplan.ops.pad import Pad
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.reductions import Reduce
from mcuplan.passes._taken import repeated, taken

__all__ = ["Image", "image_of", "resized"]

_Shape = tuple[int, ...]
_WINDOWS = Conv2D | AvgPool2D | MaxPool2D
_ANY_SIZE = _WINDOWS | Concat | Transpose | Reduce | Pad
"""Operators that say nothing of the sizes they are given, or what is said is adapted."""


@dataclass(frozen=True, slots=True)
class Image:
    """The input that windows slide over: its port, and which axes are rows and columns."""

    port: Port
    axes: tuple[int, int]
    rows: int
    columns: int


def image_of(graph: Graph) -> Image | None:
    """The one input of a model that convolutions or pools read; None: there is no such."""
    readers, found = graph.consumers(), []
    for port in graph.app_inputs:
        shape = graph.tensor(port.tensor).type.shape
        axes = {_image_axes(node, shape, readers) for node in readers.get(port.tensor, ())}
        only = next(iter(axes)) if len(axes) == 1 and len(shape) == 4 else None
        if only is not None:
            found.append(Image(port, only, shape[only[0]], shape[only[1]]))
    return found[0] if len(found) == 1 else None


def _image_axes(
    node: Node, shape: _Shape, readers: Mapping[str, tuple[Node, ...]]
) -> tuple[int, int] | None:
    """Axes of a node's input that are rows and columns for windows right behind."""
    op, behind = node.op, readers.get(node.output, ())
    if isinstance(op, _WINDOWS):
        return 1, 2
    if not behind or not all(isinstance(each.op, _WINDOWS) for each in behind):
        return None
    if isinstance(op, Transpose) and len(op.axes) == 4:
        return op.axes[1], op.axes[2]
    if isinstance(op, Reshape):  # an image of one channel moves no byte
        source = {
            new[0]: old[0] for old, new in axis_groups(shape, op.shape) if len(old + new) == 2
        }
        return (source[1], source[2]) if 1 in source and 2 in source else None
    return None


def _spans(kernel: _Shape, area: _Shape) -> bool:
    """Whether a window is a whole map, or all of its rows or of its columns at once."""
    return all(size in (1, whole) for size, whole in zip(kernel, area, strict=True))


def resized(graph: Graph, size: tuple[int, int]) -> Graph:
    """The graph for images of other rows and columns, shapes inferred anew.

    A pool over a whole map is one of the new map; a layer of all pixels has a weight for each
    of those there are; paddings stay.

    Raises:
        UsageError: no input is an image, or a layer does not follow.
    """
    image = image_of(graph)
    asked = f"--reshape input={size[0]}x{size[1]}"
    if image is None or graph.states:
        what = "convolutions read no input, or several" if image is None else "it has states"
        raise UsageError(f"{asked}: {what}", "", "leave it out")
    made = _Resized(graph, Editor(graph), asked)
    kind = graph.tensor(image.port.tensor).type
    shape = list(kind.shape)
    shape[image.axes[0]], shape[image.axes[1]] = size
    made.kinds[image.port.tensor] = replace(kind, shape=tuple(shape))
    for node in graph.nodes:
        made.rebuild(node)
    return made.done()


@dataclass(frozen=True, slots=True)
class _Resized:
    """Types of the activations that have another shape, and the nodes around them."""

    graph: Graph
    edit: Editor
    asked: str
    kinds: dict[str, TensorType] = field(default_factory=dict)

    def rebuild(self, node: Node) -> None:
        """The node over what its activations are now."""
        if not any(name in self.kinds for name in node.inputs):
            return
        before = [self.graph.tensor(name).type for name in node.inputs]
        now = [self.kinds.get(name, kind) for name, kind in zip(node.inputs, before, strict=True)]
        if not (isinstance(node.op, _ANY_SIZE | Dense | Reshape) or self._alike(node, now)):
            raise self._stays(node, "its meaning depends on the size")
        op = self._op(node, now[0].shape)
        inputs = self._constants(node, now)
        kinds = [self.kinds.get(name, self.edit.tensor(name).type) for name in inputs]
        try:
            inferred = op.infer(kinds)
        except (McuplanError, AssertionError, IndexError, ValueError) as error:
            raise self._stays(node, getattr(error, "message", "") or "shapes differ") from error
        for name, kind in zip(node.outputs, inferred, strict=True):
            old = self.graph.tensor(name).type
            if kind.shape != old.shape:
                self.kinds[name] = replace(old, shape=kind.shape)
        self.edit.replace(node, replace(node, op=op, inputs=tuple(inputs)))

    def _alike(self, node: Node, now: Sequence[TensorType]) -> bool:
        """Whether an operator works at each index of the axes that changed on its own."""
        maps = self.graph.signature(node).maps
        for name, kind, own in zip(node.inputs, now, maps, strict=True):
            before = self.graph.tensor(name).type.shape
            changed = [a for a in range(len(before)) if before[a] != kind.shape[a]]
            if any(own[axis] != SAME for axis in changed):
                return False
        return True

    def _op(self, node: Node, shape: _Shape) -> Op:
        """The operator; what it says of a whole map is said of the new one."""
        op, before = node.op, self.graph.tensor(node.inputs[0]).type.shape
        if isinstance(op, AvgPool2D | MaxPool2D) and _spans(op.kernel, before[1:-1]):
            rows, columns = (
                new if size == old else size
                for size, old, new in zip(op.kernel, before[1:-1], shape[1:-1], strict=True)
            )
            whole = rows, columns
            return replace(op, kernel=whole, stride=whole if op.stride == op.kernel else op.stride)
        if isinstance(op, Reshape):
            return replace(op, shape=self._reshaped(node, before, shape))
        return op

    def _reshaped(self, node: Node, before: _Shape, now: _Shape) -> _Shape:
        """The shape that a view has now; axes that changed go into one axis each."""
        assert isinstance(node.op, Reshape)
        target = list(node.op.shape)
        for old, new in axis_groups(before, node.op.shape):
            if any(before[axis] != now[axis] for axis in old):
                if len(new) != 1:
                    raise self._stays(node, "an axis that changed is divided")
                target[new[0]] = math.prod(now[axis] for axis in old)
        return tuple(target)

    def _constants(self, node: Node, now: Sequence[TensorType]) -> list[str]:
        """Inputs, constants cut or repeated where they have a value for each index."""
        inputs = list(node.inputs)
        if isinstance(node.op, _WINDOWS):
            return inputs
        if isinstance(node.op, Dense):
            weights = self.graph.tensor(inputs[1])
            count, wanted = weights.type.shape[1], now[0].shape[-1]
            if count != wanted:
                inputs[1] = self._own(inputs[1], taken(weights, repeated(count, wanted), 1))
            return inputs
        active = [i for i, name in enumerate(inputs) if name in self.kinds]
        for i, name in enumerate(inputs):
            tensor = self.graph.tensor(name)
            if tensor.data is None:
                continue
            rank = tensor.data.ndim
            old = self.graph.tensor(inputs[active[0]]).type.shape[-rank:] if rank else ()
            new = now[active[0]].shape[-rank:] if rank else ()
            for axis, (a, b) in enumerate(zip(old, new, strict=True)):
                if a != b and tensor.data is not None and tensor.data.shape[axis] == a:
                    tensor = taken(tensor, repeated(a, b), axis)
            if tensor is not self.graph.tensor(name):
                inputs[i] = self._own(name, tensor)
        return inputs

    def _own(self, name: str, tensor: Tensor) -> str:
        return self.edit.set_tensor(replace(tensor, name=self.edit.own_name(name)))

    def _stays(self, node: Node, why: str) -> UsageError:
        where = self.graph.node_name(node)
        return UsageError(f"{self.asked}: {why}", where, "another size, or none")

    def done(self) -> Graph:
        """The graph, its inputs and outputs as their tensors are now."""
        for name, kind in self.kinds.items():
            self.edit.set_tensor(replace(self.graph.tensor(name), type=kind))
        ends = (tuple(map(self._port, ports)) for ports in (self.graph.inputs, self.graph.outputs))
        self.edit.set_ports(*ends)
        return self.edit.done()

    def _port(self, port: Port) -> Port:
        """An end of the model with the shape of its tensor."""
        if port.tensor not in self.kinds:
            return port
        before, now = self.graph.tensor(port.tensor).type.shape, self.kinds[port.tensor].shape
        layout = port.layout or tuple(range(len(before)))
        shape = list(port.shape)
        for axis, model in enumerate(layout):
            if before[axis] == now[axis]:
                continue
            if model is None or len(shape) <= model or shape[model] != before[axis]:
                raise UsageError(f"{self.asked}: {port.name} is held otherwise", "", "leave it out")
            shape[model] = now[axis]
        return replace(port, shape=tuple(shape))
