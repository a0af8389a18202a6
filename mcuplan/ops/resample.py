# SPDX-License-Identifier: Apache-2.0
"""Each element repeated: nearest Resize and Upsample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import InputTooLarge, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import SAME, InputMap, Shape, taken
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Op, QuantRule, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import int_list
from mcuplan.ops._strided import MOVED, Loop, axis_steps, copy_call, copy_kernels
from mcuplan.ops.slicing import Range, add_slice
from mcuplan.ops.tile import add_repeated

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Upsample"]


@dataclass(frozen=True, slots=True)
class Upsample(Op):
    """Each element ``factors[i]`` times along axis i (nearest neighbour)."""

    factors: tuple[int, ...]

    types = MOVED
    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Sizes times factors."""
        pairs = zip(inputs[0].shape, self.factors, strict=True)
        return (TensorType(tuple(n * f for n, f in pairs), inputs[0].dtype),)

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
        add_repeated(node, build, Upsample, factors)


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


def _upsample(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Upsample)
    steps = axis_steps(sig.inputs[0])
    axes = [[n, Loop(f, 0, 0)] for f, n in zip(op.factors, steps, strict=True)]
    return (copy_call(sig.output, axes),)


OPS = (Upsample,)
KERNELS = copy_kernels(Upsample, _upsample)
READERS = {
    "Resize": read_resize,
    "Upsample": read_resize,
}
WRITERS = {Upsample: write_upsample}
