# SPDX-License-Identifier: Apache-2.0
"""Resize and Upsample in every mode; where each element is repeated, an operator of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import InputTooLarge, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode, rows_layout
from mcuplan.ir.geometry import SAME, InputMap, Shape, taken
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Op, QuantRule, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import inner, int_list, layout_behind, normal_axis
from mcuplan.ops._resampling import OUTSIDE, AxisTaps, Coordinates, interpolated, nearest
from mcuplan.ops._strided import MOVED, Loop, axis_steps, copy_call, copy_kernels
from mcuplan.ops.movement import add_view
from mcuplan.ops.resize import Resize
from mcuplan.ops.slicing import Range, add_slice
from mcuplan.ops.take import Take
from mcuplan.ops.tile import add_repeated

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Upsample"]

IDENTITY = AxisTaps((0,), ((1.0,),))
"""Of an axis of one element."""


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
    axes, found = _axes(node, len(shape)), [(1.0, n) for n in shape]
    if len(sizes if sizes is not None else given or ()) != len(axes):
        raise UnsupportedOp(f"Resize of {len(axes)} axes by {sizes or given}")
    if sizes is None:
        if min(given or (0.0,)) <= 0:
            raise UnsupportedOp(f"scales={given}")
        for axis, scale in zip(axes, given or (), strict=True):
            found[axis] = (scale, math.floor(shape[axis] * scale))
        return found
    scales = [size / shape[axis] for axis, size in zip(axes, sizes, strict=True)]
    policy = node.get_str("keep_aspect_ratio_policy", "stretch")
    if policy not in ("stretch", "not_larger", "not_smaller"):
        raise UnsupportedOp(f"keep_aspect_ratio_policy={policy}")
    for axis, size, scale in zip(axes, sizes, scales, strict=True):
        found[axis] = (scale, size)
        if policy != "stretch":
            kept = min(scales) if policy == "not_larger" else max(scales)
            found[axis] = (kept, math.floor(kept * shape[axis] + 0.5))
    return found


def _axes(node: OnnxNode, rank: int) -> list[int]:
    """The axes that scales and sizes are of."""
    axes = [normal_axis(axis, rank) for axis in node.get_ints("axes", range(rank))]
    if len(set(axes)) != len(axes):
        raise UnsupportedOp(f"axes={axes}")
    return axes


def read_resize(node: OnnxNode, build: Builder) -> None:
    """Resize or Upsample in any mode."""
    where = _coordinates(node, build)
    old = node.op_type == "Upsample" or node.opset < 11
    mode = node.get_str("mode", "nearest")
    if mode == "nearest":
        rounding = node.get_str("nearest_mode", "floor" if old else "round_prefer_floor")
        _take_nearest(node, build, [nearest(own, rounding) for own in where])
        return
    if mode not in ("linear", "bilinear", "cubic"):
        raise UnsupportedOp(f"{node.op_type} mode={mode}")
    cubic = node.get_float("cubic_coeff_a", -0.75) if mode == "cubic" else None
    antialias = node.get_int("antialias", 0) == 1
    exclude = node.get_int("exclude_outside", 0) == 1
    taps = [
        interpolated(own, cubic=cubic, antialias=antialias, exclude_outside=exclude)
        for own in where
    ]
    _interpolate(node, build, taps)


def _coordinates(node: OnnxNode, build: Builder) -> list[Coordinates]:
    """How the outputs lie along each axis of the first input."""
    shape = build.shape(node.input(0))
    old = node.op_type == "Upsample" or node.opset < 11
    mode = node.get_str("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    targets = _targets(node, build, shape)
    for axis, (_, target) in enumerate(targets):
        if target > 1 << 18:  # every index is looked at
            raise InputTooLarge(f"axis {axis} becomes {target:,} long", hint="check the factors")
        if target < 1:
            raise UnsupportedOp(f"axis {axis} becomes {target} long", hint="check the factors")
    rois = [(0.0, 1.0)] * len(shape)
    if mode == "tf_crop_and_resize":
        axes = _axes(node, len(shape))
        given = build.constant(node.input(1)) if node.input(1) else None
        if given is None or given.data.size != 2 * len(axes):
            raise UnsupportedOp("tf_crop_and_resize without a constant roi", hint="freeze it")
        sides = given.data.reshape(2, -1).astype(float).T.tolist()
        for axis, (start, end) in zip(axes, sides, strict=True):
            rois[axis] = (start, end)
    return [
        Coordinates(mode, n, target, scale, roi)
        for n, (scale, target), roi in zip(shape, targets, rois, strict=True)
    ]


def _take_nearest(node: OnnxNode, build: Builder, found: Sequence[tuple[int, ...]]) -> None:
    """Elements repeated, every k-th of them, or a table of them."""
    shape = build.shape(node.input(0))
    factors = [max(1, len(own) // n) for n, own in zip(shape, found, strict=True)]
    repeated = [tuple(o // f for o in range(n * f)) for n, f in zip(shape, factors, strict=True)]
    if list(found) == repeated:
        add_repeated(node, build, Upsample, factors)
        return
    runs = {axis: _run(own) for axis, own in enumerate(found) if own != repeated[axis]}
    kept = {axis: run for axis, run in runs.items() if run is not None}
    if kept == runs and all(factors[axis] == 1 for axis in range(len(shape)) if axis not in runs):
        add_slice(node, build, kept)
        return
    touched = [a for a, own in enumerate(found) if own != tuple(range(shape[a]))]
    layout = layout_behind(build, [node.input(0)], touched)
    indices = tuple(found[a] if a in touched else None for a in layout)
    value = node.get_float("extrapolation_value", 0.0)
    source, quant = build.in_layout(node.input(0), layout), build.quant(node.input(0))
    fills = any(OUTSIDE in own for own in found)
    held = quant if quant is None or not fills or quant.holds(value) else None
    build.add(Take(indices, value if fills else 0.0), [source], node, layout, quant=held)


def _interpolate(node: OnnxNode, build: Builder, taps: Sequence[AxisTaps]) -> None:
    """Axes of pixels in one step, others one by one."""
    name, shape = node.input(0), build.shape(node.input(0))
    outside = node.get_float("extrapolation_value", 0.0)
    touched = [
        a for a, (own, n) in enumerate(zip(taps, shape, strict=True)) if not own.is_identity(n)
    ]
    if not touched:
        build.alias(node.outputs[0], name, build.held_layouts(name))
        return
    if 3 <= len(shape) <= 5 and min(touched) >= 2 and shape[0] == 1:
        axes = list(taps[2:]) if len(shape) > 3 else [taps[2], IDENTITY]
        layout = rows_layout(len(shape))
        build.add(Resize(tuple(axes), outside), [build.in_layout(name, layout)], node, layout)
        return
    for k, axis in enumerate(touched):
        before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        flat, made = inner(node, f"flat{k}"), inner(node, f"made{k}")
        add_view(replace(flat, inputs=(name,)), build, (before, shape[axis], after))
        identity = AxisTaps(tuple(range(before)), ((1.0,),) * before)
        layout = (None, 0, 1, 2)
        source = build.in_layout(flat.outputs[0], layout)
        build.add(Resize((identity, taps[axis]), outside), [source], made, layout)
        shape = (*shape[:axis], len(taps[axis]), *shape[axis + 1 :])
        last = node if axis == touched[-1] else inner(node, f"axis{k}")
        add_view(replace(last, inputs=made.outputs), build, shape)
        name = last.outputs[0]


def _run(found: Sequence[int]) -> Range | None:
    """Indices as a range with a step, if they are one."""
    step = found[1] - found[0] if len(found) > 1 else 1
    equal = list(found) == [found[0] + step * i for i in range(len(found))]
    return (found[0], step, len(found)) if equal and step > 0 and found[0] >= 0 else None


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
