# SPDX-License-Identifier: Apache-2.0
"""Parts of a tensor: Slice, and Split as one Slice per output."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import SAME, InputMap, Shape, Window
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Op, QuantRule, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import add_empty, int_list, layout_behind, normal_axis
from mcuplan.ops._strided import MOVED, axis_steps, copy_call, copy_kernels

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Slice", "add_slice"]

Range = tuple[int, int, int]
"""First index, step (not 0, may be negative) and number of elements."""


@dataclass(frozen=True, slots=True)
class Slice(Op):
    """Per axis the elements taken; None takes all of them."""

    ranges: tuple[Range | None, ...]

    types = MOVED
    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The number of elements taken along each axis."""
        assert len(self.ranges) == len(inputs[0].shape)
        for taken, size in zip(self.ranges, inputs[0].shape, strict=True):
            if taken is not None:
                last = taken[0] + taken[1] * (taken[2] - 1)
                assert taken[2] > 0
                assert 0 <= min(taken[0], last) <= max(taken[0], last) < size
        pairs = zip(self.ranges, inputs[0].shape, strict=True)
        return (TensorType(tuple(n if r is None else r[2] for r, n in pairs), inputs[0].dtype),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Elements taken at equal distance."""
        return (tuple(SAME if r is None else Window(1, r[1], before=-r[0]) for r in self.ranges),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Taken elements."""
        x = arrays[0]
        for axis, taken in enumerate(self.ranges):
            if taken is not None:
                first, step, count = taken
                x = np.take(x, first + step * np.arange(count), axis=axis)
        return (np.array(x, order="C"),)

    def view_offset(self, inputs: Sequence[TensorType], output: TensorType) -> int | None:
        """Consecutive elements: one of each outer axis, a run of one axis, all inside of it."""
        shape = inputs[0].shape
        taken = [r or (0, 1, n) for r, n in zip(self.ranges, shape, strict=True)]
        run = next((a for a, r in enumerate(taken) if r[2] != 1), len(taken) - 1)
        whole = all(r == (0, 1, n) for r, n in list(zip(taken, shape, strict=True))[run + 1 :])
        if not whole or (taken[run][1] != 1 and taken[run][2] != 1):
            return None
        index = sum(r[0] * math.prod(shape[a + 1 :]) for a, r in enumerate(taken))
        return index * output.dtype.nbytes()

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Only where axis 0 stays."""
        return self.ranges[0] is None

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Rows, columns, channels, steps, backwards, one element."""
        for ranges, shape in [
            ((None, (1, 1, 3), None, None), (1, 5, 4, 3)),
            ((None, None, (0, 2, 3), (1, 1, 2)), (1, 3, 5, 4)),
            ((None, (4, -2, 3), (3, -1, 4), (2, -2, 2)), (1, 5, 4, 3)),
            ((None, (8, -1, 9)), (1, 9)),
            ((None, (3, 1, 1)), (1, 4)),
            ((None, (0, 3, 2), (5, -5, 2)), (1, 6, 6)),
            (((1, 1, 2), None, (0, 1, 1)), (4, 2, 3)),
        ]:
            yield Example(cls(ranges), (shape,))


def add_slice(node: OnnxNode, build: Builder, wanted: dict[int, Range], *, output: int = 0) -> None:
    """Slice the first input along ONNX axes, in the layout in which it is held."""
    name = node.input(0)
    shape = build.shape(name)
    wanted = {axis: taken for axis, taken in wanted.items() if taken != (0, 1, shape[axis])}
    if not wanted:
        build.alias(node.outputs[output], name, build.held_layouts(name))
        return
    if any(count == 0 for _, _, count in wanted.values()):
        made = [wanted.get(axis, (0, 1, n))[2] for axis, n in enumerate(shape)]
        add_empty(node, build, made, output)
        return
    layout = layout_behind(build, [name], wanted)
    ranges = tuple(None if axis is None else wanted.get(axis) for axis in layout)
    source = build.in_layout(name, layout)
    build.add(Slice(ranges), [source], node, layout, output=output, quant=build.quant(name))


def _range(start: int, end: int, step: int, size: int) -> Range:
    """An ONNX slice of an axis; negative indices count from its end, all are clamped.

    Raises:
        UnsupportedOp: the step is 0.
    """
    if step == 0:
        raise UnsupportedOp("Slice with a step of 0")
    start, end = (i + size if i < 0 else i for i in (start, end))
    if step > 0:
        first, stop = min(max(start, 0), size), min(max(end, 0), size)
    else:
        first, stop = min(max(start, 0), size - 1), min(max(end, -1), size - 1)
    count = len(range(first, stop, step))
    return first, step, count


def read_slice(node: OnnxNode, build: Builder) -> None:
    """Slice with constant bounds (attributes before opset 10)."""
    shape = build.shape(node.input(0))
    starts = int_list(node, build, 1, "starts")
    ends = int_list(node, build, 2, "ends")
    if starts is None or ends is None:
        raise UnsupportedOp("Slice without starts and ends")
    axes = int_list(node, build, 3, "axes") or tuple(range(len(starts)))
    steps = int_list(node, build, 4, "steps") or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise UnsupportedOp("starts, ends, axes and steps of different lengths")
    wanted: dict[int, Range] = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = normal_axis(axis, len(shape))
        if axis in wanted:
            raise DamagedModel(f"axes={list(axes)} name one axis twice")
        wanted[axis] = _range(start, end, step, shape[axis])
    add_slice(node, build, wanted)


def _sizes(node: OnnxNode, build: Builder, size: int) -> tuple[int, ...]:
    """Sizes of the parts of a Split: given (attribute before opset 13), or equal."""
    given = int_list(node, build, 1, "split")
    parts = node.get_int("num_outputs", len(node.outputs))
    if given is None:
        each = -(-size // parts)
        given = (*[each] * (parts - 1), size - each * (parts - 1))
    if sum(given) != size or min(given) < 0 or len(given) < len(node.outputs):
        raise UnsupportedOp(f"split={list(given)} of {size} elements")
    return given


def read_split(node: OnnxNode, build: Builder) -> None:
    """Consecutive parts along one axis."""
    shape = build.shape(node.input(0))
    axis = normal_axis(node.get_int("axis", 0), len(shape))
    first = 0
    for output, size in enumerate(_sizes(node, build, shape[axis])):
        if output < len(node.outputs) and node.outputs[output]:
            add_slice(node, build, {axis: (first, 1, size)}, output=output)
        first += size


def _slice(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Slice)
    axes, row, byte = [], 0, 0
    for loop, taken in zip(axis_steps(sig.inputs[0]), op.ranges, strict=True):
        if taken is None:
            axes.append([loop])
            continue
        first, step, count = taken
        row, byte = row + first * loop.rows, byte + first * loop.step
        axes.append([replace(loop.scaled(step), count=count)])
    return (copy_call(sig.output, axes, (row, byte)),)


def write_slice(node: Node, out: Writer) -> None:
    """Slice of any order of axes that is held."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Slice)
    taken = {axes.index(a): r for a, r in enumerate(op.ranges) if r is not None}
    ends = []
    for first, step, count in taken.values():
        end = first + step * count
        ends.append(end if end >= 0 else -(2**31))  # past the first element, going backwards
    columns = {
        "starts": [r[0] for r in taken.values()],
        "ends": ends,
        "axes": list(taken),
        "steps": [r[1] for r in taken.values()],
    }
    lists = [out.constant(key, np.array(values, np.int64)) for key, values in columns.items()]
    value = out.node("Slice", [out.read(node.inputs[0], axes), *lists])
    out.write(node.output, value, axes)


OPS = (Slice,)
KERNELS = copy_kernels(Slice, _slice)
READERS = {"Slice": read_slice, "Split": read_split}
WRITERS = {Slice: write_slice}
