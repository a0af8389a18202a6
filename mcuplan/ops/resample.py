# SPDX-License-Identifier: Apache-2.0
"""Elements repeated: whole tensors (Tile, Expand) or each element (nearest Upsample)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import InputTooLarge, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode, plain
from mcuplan.ir.geometry import SAME, InputMap, Shape, taken
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import inner, int_list
from mcuplan.ops._strided import Loop, axis_steps, copy_call, copy_work
from mcuplan.ops.movement import Reshape
from mcuplan.ops.slicing import Range, add_slice

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Tile", "Upsample"]


@dataclass(frozen=True, slots=True)
class Tile(Op):
    """The tensor ``repeats[i]`` times along axis i."""

    repeats: tuple[int, ...]

    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Sizes times repeats."""
        pairs = zip(inputs[0].shape, self.repeats, strict=True)
        return (TensorType(tuple(n * r for n, r in pairs)),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Axes that are repeated begin again."""
        axes = zip(inputs[0], self.repeats, strict=True)
        return (tuple(SAME if r == 1 else taken([*range(n)] * r) for n, r in axes),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Repeated tensor."""
        return (np.tile(arrays[0], self.repeats),)

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Only where axis 0 stays."""
        return self.repeats[0] == 1

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Rows, columns, channels, a size of 1 made larger, everything at once."""
        for repeats, shape in [
            ((1, 2, 1, 1), (1, 3, 4, 2)),
            ((1, 1, 3, 2), (1, 2, 2, 3)),
            ((1, 4, 5, 1), (1, 1, 1, 3)),
            ((1, 3), (1, 4)),
            ((1, 2, 2, 2), (1, 2, 3, 2)),
            ((2, 1, 2), (1, 2, 3)),
        ]:
            yield Example(cls(repeats), (shape,))


@dataclass(frozen=True, slots=True)
class Upsample(Op):
    """Each element ``factors[i]`` times along axis i (nearest neighbour)."""

    factors: tuple[int, ...]

    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Sizes times factors."""
        pairs = zip(inputs[0].shape, self.factors, strict=True)
        return (TensorType(tuple(n * f for n, f in pairs)),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Elements that are repeated stand side by side."""
        axes = zip(inputs[0], self.factors, strict=True)
        return (tuple(SAME if f == 1 else taken(o // f for o in range(n * f)) for n, f in axes),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Repeated elements."""
        x = arrays[0]
        for axis, factor in enumerate(self.factors):
            x = np.repeat(x, factor, axis=axis)
        return (x,)

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Only where axis 0 stays."""
        return self.factors[0] == 1

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Both spatial axes, one of them, channels, a vector."""
        yield Example(cls((1, 2, 2, 1)), ((1, 3, 4, 2),))
        yield Example(cls((1, 3, 1, 1)), ((1, 2, 2, 5),))
        yield Example(cls((1, 1, 4, 2)), ((1, 2, 3, 2),))
        yield Example(cls((1, 3)), ((1, 4),))
        yield Example(cls((1, 2, 3)), ((1, 2, 2),))


def _add(
    node: OnnxNode, build: Builder, op: type[Tile] | type[Upsample], by: Sequence[int]
) -> None:
    """Repeat the first input ``by`` times along its ONNX axes, in the layout it is held in."""
    name = node.input(0)
    if set(by) <= {1}:
        build.alias(node.outputs[0], name, build.held_layouts(name))
        return
    layout = build.preferred_layout([name])
    times = tuple(1 if axis is None else by[axis] for axis in layout)
    source = build.in_layout(name, layout)
    build.add(op(times), [source], node, layout, quant=build.quant(name))


def read_tile(node: OnnxNode, build: Builder) -> None:
    """Tile with constant repeats."""
    repeats = int_list(node, build, 1, "repeats")
    if repeats is None or len(repeats) != len(build.shape(node.input(0))) or min(repeats) < 1:
        raise UnsupportedOp(f"repeats={repeats}", hint="give one count of 1 or more per axis")
    _add(node, build, Tile, repeats)


def read_expand(node: OnnxNode, build: Builder) -> None:
    """Expand to a constant shape: axes of 1 are repeated."""
    target = int_list(node, build, 1, "shape")
    name = node.input(0)
    if target is None:
        raise UnsupportedOp("Expand without a shape")
    shape = build.shape(name)
    extra = max(0, len(target) - len(shape))
    if extra:
        wide = inner(node, "wide")
        source = build.in_layout(name, plain(len(shape)))
        shape = (1,) * extra + shape
        build.add(Reshape(shape), [source], wide, quant=build.quant(name))
        node = OnnxNode(
            node.op_type, node.domain, node.opset, wide.name, wide.outputs, node.outputs, {}
        )
    wanted = (1,) * (len(shape) - len(target)) + target
    if any(w < 1 or (w != n and 1 not in (n, w)) for n, w in zip(shape, wanted, strict=True)):
        raise UnsupportedOp(f"Expand of shape {list(shape)} to {list(target)}")
    _add(node, build, Tile, [w if n == 1 else 1 for n, w in zip(shape, wanted, strict=True)])


def _source_index(o: int, size: int, target: int, scale: float, mode: str, rounding: str) -> int:
    """Input index that output index ``o`` reads, by the formulas of the ONNX operator.

    Raises:
        UnsupportedOp: a coordinate transformation that is not known.
    """
    one, half, at = np.float32(1), np.float32(0.5), np.float32(o)  # float32, as runtimes compute
    if mode == "asymmetric":
        x = at / np.float32(scale)
    elif mode == "align_corners":
        x = at * np.float32(size - 1) / np.float32(target - 1) if target > 1 else 0 * one
    elif mode == "half_pixel" or (mode == "pytorch_half_pixel" and target > 1):
        x = (at + half) / np.float32(scale) - half
    elif mode == "pytorch_half_pixel":
        x = 0 * one
    else:
        raise UnsupportedOp(
            f"coordinate_transformation_mode={mode}", hint="use asymmetric or half_pixel"
        )
    rounded = {
        "round_prefer_floor": math.ceil(x - half),
        "round_prefer_ceil": math.floor(x + half),
        "floor": math.floor(x),
        "ceil": math.ceil(x),
    }
    if rounding not in rounded:
        raise UnsupportedOp(f"nearest_mode={rounding}")
    return min(max(rounded[rounding], 0), size - 1)


def _targets(node: OnnxNode, build: Builder, shape: Sequence[int]) -> list[tuple[float, int]]:
    """Scale and size of each axis; inputs moved between opsets 7, 9, 10 and 11."""
    if node.op_type == "Upsample" and "scales" in node.attributes:
        given: Sequence[float] | None = node.attributes["scales"]  # type: ignore[assignment]
        sizes = None
    else:
        modern = node.op_type == "Resize" and node.opset >= 11
        name = node.input(2 if modern else 1)
        constant = build.constant(name) if name else None
        computed = bool(name) and constant is None
        given = list(map(float, constant.data.reshape(-1))) if constant is not None else None
        sizes = int_list(node, build, 3, "sizes") if modern and node.input(3) else None
        if computed or (not given and sizes is None):
            raise UnsupportedOp("Resize without constant scales or sizes", hint="freeze them")
    found = [(1.0, n) for n in shape]
    for i, axis in enumerate(node.get_ints("axes", range(len(shape)))):
        n = shape[axis]
        if sizes is not None:
            found[axis] = (sizes[i] / n, sizes[i])
        elif given is not None:
            found[axis] = (given[i], math.floor(n * given[i]))
    return found


def read_resize(node: OnnxNode, build: Builder) -> None:
    """Nearest Resize or Upsample that repeats each element, or takes every k-th."""
    shape = build.shape(node.input(0))
    kind = node.get_str("mode", "nearest")
    if kind != "nearest" or node.get_str("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsupportedOp(
            f"{node.op_type} mode={kind}", hint="export with mode=nearest and a whole factor"
        )
    old = node.op_type == "Upsample" or node.opset < 11
    mode = node.get_str("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = node.get_str("nearest_mode", "floor" if old else "round_prefer_floor")
    factors, taken = [1] * len(shape), {}
    targets = zip(shape, _targets(node, build, shape), strict=True)
    for axis, (n, (scale, target)) in enumerate(targets):
        if target > 1 << 18:  # every index is looked at
            raise InputTooLarge(f"axis {axis} becomes {target:,} long", hint="check the factors")
        found = [_source_index(o, n, target, scale, mode, rounding) for o in range(target)]
        factor = max(1, target // n)
        if found == [o // factor for o in range(n * factor)]:
            factors[axis] = factor
            continue
        taken[axis] = _every(found, scale)
    if taken and set(factors) != {1}:
        raise UnsupportedOp("Resize that grows one axis and shrinks another")
    if taken:
        add_slice(node, build, taken)
    else:
        _add(node, build, Upsample, factors)


def _every(found: Sequence[int], scale: float) -> Range:
    """Indices as a range.

    Raises:
        UnsupportedOp: they are not equally spaced.
    """
    step = found[1] - found[0] if len(found) > 1 else 1
    if not found or step < 1 or list(found) != [found[0] + step * i for i in range(len(found))]:
        raise UnsupportedOp(
            f"Resize by {scale:g} takes elements at unequal distances",
            hint="use a whole factor with coordinate_transformation_mode=asymmetric, floor",
        )
    return found[0], step, len(found)


def write_tile(node: Node, out: Writer) -> None:
    """Tile of any order of axes that is held."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Tile)
    repeats = out.constant("repeats", np.array([op.repeats[a] for a in axes], np.int64))
    out.write(node.output, out.node("Tile", [out.read(node.inputs[0], axes), repeats]), axes)


def write_upsample(node: Node, out: Writer) -> None:
    """Nearest Resize of any order of axes that is held."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Upsample)
    scales = out.constant("scales", np.array([op.factors[a] for a in axes], np.float32))
    value = out.node(
        "Resize",
        [out.read(node.inputs[0], axes), "", scales],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    out.write(node.output, value, axes)


def _tile(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Tile)
    steps = axis_steps(sig.inputs[0])
    axes = [[Loop(r, 0, 0), n] for r, n in zip(op.repeats, steps, strict=True)]
    return (copy_call(sig.output, axes),)


def _upsample(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Upsample)
    steps = axis_steps(sig.inputs[0])
    axes = [[n, Loop(f, 0, 0)] for f, n in zip(op.factors, steps, strict=True)]
    return (copy_call(sig.output, axes),)


OPS = (Tile, Upsample)
KERNELS = tuple(
    Kernel(op, "mplan_copy_s8", lower, cost_class="copy", work=copy_work(lower))
    for op, lower in ((Tile, _tile), (Upsample, _upsample))
)
READERS = {
    "Expand": read_expand,
    "Resize": read_resize,
    "Tile": read_tile,
    "Upsample": read_resize,
}
WRITERS = {Tile: write_tile, Upsample: write_upsample}
