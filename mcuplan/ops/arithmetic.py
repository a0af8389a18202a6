# SPDX-License-Identifier: Apache-2.0
"""How ONNX nodes of two and more operands are read.

One number makes a function of one value, one number per channel an affine step that can
be folded into weights; any other operand stays one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode
from mcuplan.ops._broadcast import Binary, add_broadcast
from mcuplan.ops._read import channels_last, constant_float, inner
from mcuplan.ops.batch_norm import ChannelAffine
from mcuplan.ops.eltwise import Add, Div, Maximum, Minimum, Mul, Sub
from mcuplan.ops.unary import UnaryFn, add_lookup, affine, clip

__all__ = ["READERS"]

_OPS: dict[str, type[Binary]] = {
    "Add": Add,
    "Div": Div,
    "Max": Maximum,
    "Mean": Add,
    "Min": Minimum,
    "Mul": Mul,
    "Sub": Sub,
    "Sum": Add,
}


def read_two(node: OnnxNode, build: Builder) -> None:
    """Add, Sub, Mul or Div of two operands."""
    if node.get_int("broadcast", 0) and node.opset < 7:
        raise UnsupportedOp("broadcast=1 of an opset before 7", hint="convert to opset 7 or newer")
    values = [build.constant(node.input(0)), build.constant(node.input(1))]
    if not build.dtype(node.input(0)).is_float:
        _tensors(node, build)
        return
    side = next((i for i, value in enumerate(values) if value is not None), None)
    if side is None:
        _tensors(node, build)
        return
    value = values[side]
    assert value is not None
    shape = build.shape(node.input(1 - side))
    one_column = len(shape) == 2 and shape[1] == 1  # of a Dense, whose bias it may be
    if value.data.size == 1 and value.data.ndim <= len(shape) and not one_column:
        chain = _scalar(node.op_type, float(value.data.reshape(-1)[0]), side)
        add_lookup(node, build, chain, 1 - side)
        return
    axis = _channel_axis(value, shape)
    if axis is None or not _add_affine(node, build, value, side, axis):
        _tensors(node, build)


def read_many(node: OnnxNode, build: Builder) -> None:
    """Sum, Mean, Max or Min of any number of operands, two at a time."""
    names = list(node.inputs)
    if len(names) == 1:
        build.alias(node.outputs[0], names[0], build.held_layouts(names[0]))
        return
    mean = node.op_type == "Mean"
    kind = {"Sum": "Add", "Mean": "Add"}.get(node.op_type, node.op_type)
    result = names[0]
    for k, name in enumerate(names[1:], start=1):
        last = k == len(names) - 1 and not mean
        step = replace(node if last else inner(node, f"part{k}"), op_type=kind)
        step = replace(step, inputs=(result, name))
        if kind == "Add":
            read_two(step, build)
        else:
            _extreme(step, build)
        result = step.outputs[0]
    if mean:
        add_lookup(replace(node, inputs=(result,)), build, [affine(1.0 / len(names), 0.0)])


def _extreme(node: OnnxNode, build: Builder) -> None:
    """Max or Min of two operands; against one number it is a clamp."""
    for side in (0, 1):
        value = build.constant(node.input(side))
        if value is not None and value.data.size == 1 and value.data.dtype.kind == "f":
            limit = float(value.data.reshape(-1)[0])
            fn = clip(limit, math.inf) if node.op_type == "Max" else clip(-math.inf, limit)
            add_lookup(node, build, [fn], 1 - side)
            return
    _tensors(node, build)


def read_clip(node: OnnxNode, build: Builder) -> None:
    """Clip; limits are attributes before opset 11, inputs since: of integers, or computed, too."""
    limits = [name for name in node.inputs[1:] if name]
    constant = all(build.constant(name) is not None for name in limits)
    if constant and build.dtype(node.input(0)).is_float:
        low = constant_float(node, build, 1, "min", -math.inf)
        high = constant_float(node, build, 2, "max", math.inf)
        add_lookup(node, build, [clip(low, high)])
        return
    result = node.input(0)
    for index, name in enumerate(node.inputs[1:]):
        if name:
            last = name == limits[-1] and index == len(node.inputs) - 2
            step = node if last else inner(node, f"part{index}")
            add_broadcast(Minimum() if index else Maximum(), (result, name), step, build)
            result = step.outputs[0]
    if result != node.outputs[0]:
        build.alias(node.outputs[0], result, build.held_layouts(result))


# -- one number -----------------------------------------------------------------------------


def _scalar(op_type: str, c: float, side: int) -> list[UnaryFn]:
    """Functions of the other operand; ``side`` is where the number stands.

    Raises:
        UnsupportedOp: division by 0.
    """
    if op_type == "Add":
        return [affine(1.0, c)]
    if op_type == "Sub":
        return [affine(1.0, -c) if side == 1 else affine(-1.0, c)]
    if op_type == "Mul":
        return [affine(c, 0.0)]
    if side == 0:
        return [UnaryFn("reciprocal"), affine(c, 0.0)]
    if c == 0.0:
        raise UnsupportedOp("division by a constant 0", hint="check the model's constants")
    return [affine(1.0 / c, 0.0)]


# -- one number per channel -----------------------------------------------------------------


def _channel_axis(value: Constant, shape: Sequence[int]) -> int | None:
    """The only axis of the other operand along which a constant varies."""
    if value.data.ndim > len(shape):
        return None
    if value.data.size == shape[-1] == 1:
        return len(shape) - 1
    sizes = (1,) * (len(shape) - value.data.ndim) + value.data.shape
    axes = [a for a, n in enumerate(sizes) if n != 1]
    if len(axes) != 1 or sizes[axes[0]] != shape[axes[0]]:
        return None
    return axes[0]


def _add_affine(node: OnnxNode, build: Builder, value: Constant, side: int, axis: int) -> bool:
    """Add a ChannelAffine; False where the operator or the layout does not allow it."""
    name = node.input(1 - side)
    layout = channels_last(build, name, axis)
    data = value.data.reshape(-1).astype(np.float64)
    if layout is None or (node.op_type == "Div" and (side == 0 or not data.all())):
        return False
    scale, offset = Constant(np.ones_like(data)), Constant(np.zeros_like(data))
    if node.op_type == "Add":
        offset = value.reshape((data.size,))
    elif node.op_type == "Sub":
        offset = Constant(-data if side == 1 else data)
        scale = scale if side == 1 else Constant(-scale.data)
    else:
        scale = Constant(data if node.op_type == "Mul" else 1.0 / data)
    stem = node.outputs[0]
    s = build.add_constant(scale, f"{stem}_scale")
    o = build.add_constant(offset, f"{stem}_offset")
    build.add(ChannelAffine(), [build.in_layout(name, layout), s, o], node, layout)
    return True


# -- tensors --------------------------------------------------------------------------------


def _tensors(node: OnnxNode, build: Builder) -> None:
    """Both operands as tensors."""
    add_broadcast(_OPS[node.op_type](), node.inputs[:2], node, build)


READERS = {
    "Add": read_two,
    "Clip": read_clip,
    "Div": read_two,
    "Max": read_many,
    "Mean": read_many,
    "Min": read_many,
    "Mul": read_two,
    "Sub": read_two,
    "Sum": read_many,
}
