# SPDX-License-Identifier: Apache-2.0
"""The same elements in another order or shape, and the nodes that do nothing at all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode, plain
from mcuplan.ir.geometry import InputMap, Shape, moved
from mcuplan.ir.graph import Layout, Node
from mcuplan.ir.op import Call, Cost, Example, Op, QuantRule, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import constant_float, int_list, normal_axis
from mcuplan.ops._strided import MOVED, axis_steps, copy_call, copy_kernels

__all__ = [
    "KERNELS",
    "OPS",
    "READERS",
    "WRITERS",
    "Reshape",
    "Transpose",
    "add_view",
    "axis_groups",
    "read_identity",
]


@dataclass(frozen=True, slots=True)
class Transpose(Op):
    """Axis i of the output is axis ``axes[i]`` of the input."""

    axes: tuple[int, ...]

    types = MOVED
    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Permuted shape."""
        assert sorted(self.axes) == list(range(len(inputs[0].shape)))
        return (TensorType(tuple(inputs[0].shape[a] for a in self.axes), inputs[0].dtype),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each axis of the input where it went."""
        return (tuple(moved(axis, self.axes.index(axis)) for axis in range(len(self.axes))),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Permuted axes."""
        return (np.array(arrays[0].transpose(self.axes), order="C"),)

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Only where axis 0 stays."""
        return self.axes[0] == 0

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Channels first to last and back, swapped inner axes, an axis 0 that moves."""
        for axes, shape in [
            ((0, 2, 3, 1), (1, 3, 4, 5)),
            ((0, 3, 1, 2), (1, 3, 4, 5)),
            ((0, 1, 3, 2), (1, 2, 3, 4)),
            ((0, 3, 2, 1), (1, 5, 1, 4)),
            ((0, 2, 1), (1, 6, 5)),
            ((0, 1), (1, 9)),
            ((1, 0, 2), (1, 4, 3)),
            ((0, 4, 2, 1, 3), (1, 2, 3, 2, 4)),
            ((0, 1, 6, 3, 5, 2, 4), (1, 2, 2, 3, 2, 3, 2)),
        ]:
            yield Example(cls(axes), (shape,))


@dataclass(frozen=True, slots=True)
class Reshape(Op):
    """The same bytes with another shape."""

    shape: tuple[int, ...]

    quant_rule = QuantRule.PASS_THROUGH
    is_view = True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The shape, which must hold the same number of elements."""
        assert math.prod(self.shape) == inputs[0].elements, f"{inputs[0].shape} to {self.shape}"
        return (TensorType(self.shape, inputs[0].dtype),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Samples stay on axis 0 where the operator is batchable."""
        return (arrays[0].reshape((-1, *self.shape[1:])) if self.shape else arrays[0].reshape(()),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """Nothing is moved."""
        return Cost()

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Only where axis 0 is the batch on both sides."""
        return inputs[0].shape[:1] == outputs[0].shape[:1] == (1,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Flatten, squeeze, split an axis."""
        for target, shape in [
            ((1, 24), (1, 2, 3, 4)),
            ((1, 5), (1, 1, 1, 5)),
            ((1, 2, 3, 4), (1, 24)),
            ((1,), (1, 1)),
        ]:
            yield Example(cls(target), (shape,))


# -- layouts ----------------------------------------------------------------------------


def axis_groups(before: Sequence[int], after: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Smallest runs of axes of one product: (axes before, axes after), sizes of 1 left out."""
    groups: list[tuple[list[int], list[int]]] = []
    left = [a for a, n in enumerate(before) if n != 1]
    right = [a for a, n in enumerate(after) if n != 1]
    while left and right:
        old, new = [left.pop(0)], [right.pop(0)]
        have, want = before[old[0]], after[new[0]]
        while have != want:
            if have < want:
                old.append(left.pop(0))
                have *= before[old[-1]]
            else:
                new.append(right.pop(0))
                want *= after[new[-1]]
        groups.append((old, new))
    return groups


def _reshaped_layout(layout: Layout, before: Sequence[int], after: Sequence[int]) -> Layout | None:
    """Layout in which a tensor held in ``layout`` is the reshaped one without moving a byte."""
    order = [a for a in layout if a is not None and before[a] != 1]
    made: list[int] = []
    for old, new in sorted(axis_groups(before, after), key=lambda g: order.index(g[0][0])):
        first = order.index(old[0])
        if order[first : first + len(old)] != old:
            return None
        made += new
    for axis, size in enumerate(after):
        if size == 1:
            made.insert(made.index(axis - 1) + 1 if axis else 0, axis)
    return tuple(made)


def add_view(node: OnnxNode, build: Builder, shape: tuple[int, ...]) -> None:
    """The first output is the first input with another shape, in the layout that moves nothing."""
    name = node.input(0)
    before = build.shape(name)
    if math.prod(shape) != math.prod(before):
        raise UnsupportedOp(f"shape {list(shape)} for {math.prod(before)} elements")
    for layout in build.layouts(name):
        target = _reshaped_layout(layout, before, shape)
        if target is not None:
            source = build.in_layout(name, layout)
            break
    else:
        target, source = plain(len(shape)), build.in_layout(name, plain(len(before)))
    op = Reshape(tuple(shape[a] for a in target if a is not None))
    build.add(op, [source], node, target, quant=build.quant(name))


def _alias_axes(node: OnnxNode, build: Builder, axis_of: Mapping[int, int]) -> None:
    """The output is the input with renamed axes: input axis a is output axis ``axis_of[a]``."""
    layouts: dict[Layout, str] = {}
    for layout, tensor in build.held_layouts(node.input(0)).items():
        renamed = tuple(None if a is None else axis_of[a] for a in layout)
        layouts[renamed] = tensor
    build.alias(node.outputs[0], node.input(0), layouts)


# -- readers ----------------------------------------------------------------------------


def read_identity(node: OnnxNode, build: Builder) -> None:
    """The same values."""
    rank = len(build.shape(node.input(0)))
    _alias_axes(node, build, {a: a for a in range(rank)})


def read_dropout(node: OnnxNode, build: Builder) -> None:
    """Dropout where it drops nothing: at inference, or none of the values."""
    training = build.constant(node.input(2))
    may = bool(node.input(2)) and (training is None or bool(training.data.any()))
    if may and constant_float(node, build, 1, "ratio", 0.5) > 0.0:
        raise UnsupportedOp("training_mode=1", hint="export the model for inference")
    if len(node.outputs) > 1 and node.outputs[1]:
        build.constants[node.outputs[1]] = Constant(np.ones(build.shape(node.input(0)), np.bool_))
    read_identity(node, build)


def read_transpose(node: OnnxNode, build: Builder) -> None:
    """No operator: the layouts in which the input is held are renamed."""
    rank = len(build.shape(node.input(0)))
    perm = node.get_ints("perm", tuple(reversed(range(rank))))
    if sorted(perm) != list(range(rank)):
        raise UnsupportedOp(f"perm={list(perm)} of a tensor of rank {rank}")
    _alias_axes(node, build, {a: perm.index(a) for a in range(rank)})


def read_reshape(node: OnnxNode, build: Builder) -> None:
    """Reshape to a constant shape; 0 copies a size and -1 takes what is left."""
    wanted = int_list(node, build, 1, "shape") or ()
    before = build.shape(node.input(0))
    if not node.get_int("allowzero", 0):
        if any(n == 0 and i >= len(before) for i, n in enumerate(wanted)):
            raise UnsupportedOp(f"shape {list(wanted)} copies an axis that the input lacks")
        wanted = tuple(before[i] if n == 0 else n for i, n in enumerate(wanted))
    known = math.prod(n for n in wanted if n != -1)
    if known <= 0 or wanted.count(-1) > 1:
        raise UnsupportedOp(f"shape {list(wanted)}", hint="give every size but one")
    rest = math.prod(before) // known
    add_view(node, build, tuple(rest if n == -1 else n for n in wanted))


def read_flatten(node: OnnxNode, build: Builder) -> None:
    """Flatten into a matrix: axes before ``axis``, and the rest."""
    shape = build.shape(node.input(0))
    axis = node.get_int("axis", 1)
    axis = axis if axis == len(shape) else normal_axis(axis, len(shape))
    add_view(node, build, (math.prod(shape[:axis]), math.prod(shape[axis:])))


def read_squeeze(node: OnnxNode, build: Builder) -> None:
    """Axes of size 1 vanish; without ``axes`` all of them."""
    shape = build.shape(node.input(0))
    given = int_list(node, build, 1, "axes")
    if given is None:
        given = tuple(a for a, n in enumerate(shape) if n == 1)
    axes = [normal_axis(a, len(shape)) for a in given]
    if any(shape[a] != 1 for a in axes):
        raise UnsupportedOp(f"Squeeze of axes {axes} of shape {list(shape)}")
    add_view(node, build, tuple(n for a, n in enumerate(shape) if a not in axes))


def read_unsqueeze(node: OnnxNode, build: Builder) -> None:
    """New axes of size 1."""
    sizes = iter(build.shape(node.input(0)))
    given = int_list(node, build, 1, "axes") or ()
    rank = len(build.shape(node.input(0))) + len(given)
    axes = {normal_axis(a, rank) for a in given}
    if len(axes) != len(given):
        raise UnsupportedOp(f"axes={list(given)} name one axis twice")
    add_view(node, build, tuple(1 if a in axes else next(sizes) for a in range(rank)))


# -- writers ----------------------------------------------------------------------------


def write_transpose(node: Node, out: Writer) -> None:
    """No ONNX node: the orders in which the input is held are renamed."""
    op = node.op
    assert isinstance(op, Transpose)
    out.alias(node.output, node.inputs[0], lambda axes: tuple(op.axes.index(a) for a in axes))


def write_reshape(node: Node, out: Writer) -> None:
    """Reshape of our own order of axes."""
    shape = out.constant("shape", np.array(out.shape(node.output), np.int64))
    out.write(node.output, out.node("Reshape", [out.read_flat(node.inputs[0]), shape]))


def _transpose(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Transpose)
    steps = axis_steps(sig.inputs[0])
    return (copy_call(sig.output, [[steps[a]] for a in op.axes]),)


OPS = (Transpose, Reshape)
KERNELS = copy_kernels(Transpose, _transpose)
READERS = {
    "Dropout": read_dropout,
    "Flatten": read_flatten,
    "Identity": read_identity,
    "Reshape": read_reshape,
    "Squeeze": read_squeeze,
    "Transpose": read_transpose,
    "Unsqueeze": read_unsqueeze,
}
WRITERS = {Reshape: write_reshape, Transpose: write_transpose}
