# SPDX-License-Identifier: Apache-2.0
"""Outputs between elements: weighted sums of neighbours along two or three axes of pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import ScaleError, UnsupportedOp
from mcuplan.ir.geometry import SAME, AxisMap, Gathered, InputMap, Shape
from mcuplan.ir.graph import Node
from mcuplan.ir.op import NO_CLAMP, Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._resampling import OUTSIDE, AxisTaps, Coordinates, interpolated, way_of
from mcuplan.ops._windows import channels_first
from mcuplan.ops.fields import FLOAT_TYPES

__all__ = ["KERNELS", "OPS", "WRITERS", "Resize", "pixel_taps"]

_MOST_BITS = 20  # of a weight behind the point
_NOT_THERE = 0xFFFF  # the kernels' index of no element


@dataclass(frozen=True, slots=True)
class Resize(Op):
    """x [1,H,W,C] or [1,D,H,W,C]; each output is made of the taps of its axes, or ``outside``."""

    axes: tuple[AxisTaps, ...]
    outside: float = 0.0

    types = (Types(), FLOAT_TYPES)

    @property
    def label(self) -> str:
        """Resize to a size."""
        return f"Resize {'x'.join(str(len(own)) for own in self.axes)}"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """As many outputs as each axis has."""
        n, *size, c = inputs[0].shape
        assert len(size) == len(self.axes)
        for length, own in zip(size, self.axes, strict=True):
            if not -1 <= min(own.first) <= max(own.first) + own.taps <= length < _NOT_THERE:
                raise UnsupportedOp(f"Resize of an axis of {length} elements")
        return (TensorType((n, *map(len, self.axes), c)),)

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Those of the input and of what lies outside, where no weight is below 0."""
        below = any(w < 0 for own in self.axes for weights in own.weights for w in weights)
        low, high = inputs[0]
        if below:
            return NO_CLAMP
        ends = (self.outside, low, high) if self._leaves() else (low, high)
        return min(ends), max(ends)

    def _leaves(self) -> bool:
        return any(OUTSIDE in own.first for own in self.axes)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """The elements whose weights are not 0."""
        return ((SAME, *map(_read, self.axes), SAME),)

    def _sums(self, x: Array, weights: Sequence[Array], zero: Array) -> Array:
        """In the order of the C kernels: lines along the last axis, then the sum of lines."""
        *outer, last = (np.maximum(own.first, 0) for own in self.axes)
        lines = zero
        for t in range(self.axes[-1].taps):
            by = weights[-1][:, t, None]
            lines = lines + by * np.take(x, last + t, axis=-2)
        total = zero
        for taps in np.ndindex(*(own.taps for own in self.axes[:-1])):
            taken, weight = lines, np.ones((), zero.dtype)
            for axis, (first, t) in enumerate(zip(outer, taps, strict=True)):
                taken = np.take(taken, first + t, axis=axis + 1)
                weight = np.multiply.outer(weight, weights[axis][:, t])
            weight = weight[..., None, None]
            total = np.where(weight != 0, total + weight * taken, total)
        return total

    def _filled(self, made: Array, value: float) -> Array:
        """What is outside along any axis has the value."""
        for axis, own in enumerate(self.axes):
            beyond = np.array([first == OUTSIDE for first in own.first])
            spread = beyond.reshape(-1, *(1,) * (len(self.axes) - axis))
            made = np.where(spread, np.array(value, made.dtype), made)
        return made

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Sums in double precision."""
        weights = [np.array(own.weights) for own in self.axes]
        made = self._sums(arrays[0].astype(np.float64), weights, np.zeros(()))
        return (self._filled(made, self.outside).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Lines from 0 on, then their sum from 0 on."""
        weights = [np.array(own.weights, np.float32) for own in self.axes]
        with np.errstate(all="ignore"):
            made = self._sums(arrays[0], weights, np.zeros((), np.float32))
        return (self._filled(made, self.outside),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """The exact sum of products with weights of 16 bits, rounded once."""
        weights, shift = sig.once(_factors)
        sums = self._sums(
            arrays[0].astype(np.int64) - sig.inputs[0].q.z, weights, np.zeros((), int)
        )
        steps = (sums + ((1 << shift) >> 1)) >> shift
        codes = sig.output.dtype.clip(steps + sig.output.q.z)
        return (self._filled(codes, _code(sig)),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One operation for each tap."""
        return Cost(ops=outputs[0].elements * math.prod(own.taps for own in self.axes))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Doubled, made smaller, cubic, cropped, along one axis, along three."""
        up = pixel_taps(4, 8)
        down = pixel_taps(7, 3)
        cubic = pixel_taps(5, 9, cubic=-0.75)
        smooth = pixel_taps(7, 3, antialias=True)
        crop = Coordinates("tf_crop_and_resize", 4, 5, 1.25, (0.4, 1.3))
        cropped = interpolated(crop, cubic=None, antialias=False, exclude_outside=False)
        same = pixel_taps(5, 5)
        yield Example(cls((up, up)), ((1, 4, 4, 3),))
        yield Example(cls((down, up)), ((1, 7, 4, 9),))
        yield Example(cls((cubic, cubic)), ((1, 5, 5, 2),))
        yield Example(cls((smooth, cropped), 0.5), ((1, 7, 4, 1),))
        yield Example(cls((cropped, same)), ((1, 4, 5, 4),))
        yield Example(cls((down, up, cubic)), ((1, 7, 4, 5, 2),))


def pixel_taps(
    size: int, target: int, *, cubic: float | None = None, antialias: bool = False
) -> AxisTaps:
    """An axis of another size whose pixels have their places in their middles."""
    where = Coordinates("half_pixel", size, target, target / size)
    return interpolated(where, cubic=cubic, antialias=antialias, exclude_outside=False)


def _read(own: AxisTaps) -> AxisMap:
    """The elements of each output that have a weight; others are said to be one of these."""
    rows = []
    for first, weights in zip(own.first, own.weights, strict=True):
        used = [t for t, weight in enumerate(weights) if weight] or [0]
        taps = (t if t in used else used[0] for t in range(own.taps))
        rows.append(tuple(max(first, 0) + t for t in taps))
    return Gathered(tuple(rows))


def _factors(sig: Signature) -> tuple[list[Array], int]:
    """Weights of each axis as integers of 16 bits, and the bits of a product behind the point.

    Those of the first axis are in steps of the output.

    Raises:
        ScaleError: the output's step is far too small.
    """
    op = sig.op
    assert isinstance(op, Resize)
    ratio, shift, made = sig.inputs[0].q.s / sig.output.q.s, 0, []
    for axis, own in enumerate(op.axes):
        real = np.array(own.weights) * (1.0 if axis else ratio)
        whole = axis > 0 and own.is_identity(len(own))
        bits = 0 if whole else min(_MOST_BITS, 15 - math.frexp(float(np.abs(real).max()))[1])
        if bits < 0:
            raise ScaleError(
                f"output scale {sig.output.q.s:.3g} is far too small for its layer",
                hint="calibrate with representative data",
            )
        fine = np.floor(real * 2.0**bits + 0.5).astype(np.int64)
        missed = np.floor(real.sum(axis=1) * 2.0**bits + 0.5).astype(np.int64) - fine.sum(axis=1)
        fine[np.arange(len(own)), np.abs(fine).argmax(axis=1)] += missed  # equal inputs stay so
        made.append(np.clip(fine, -(2**15), 2**15 - 1))
        shift += bits
    return made, shift


def _code(sig: Signature) -> int:
    """What lies outside, on the grid of the output."""
    assert isinstance(sig.op, Resize)
    return int(sig.output.q.quantize(np.asarray([sig.op.outside]))[0])


# -- writer and kernels -------------------------------------------------------------------


def write_resize(node: Node, out: Writer) -> None:
    """The ONNX operator, if it has these weights; or a product with a matrix along each axis.

    What lies outside is added to those.
    """
    op, size = node.op, out.shape(node.inputs[0])[1:-1]
    assert isinstance(op, Resize)
    axes, letters = channels_first([*size]), "ncdhw"[: 2 + len(size)]
    value = out.read(node.inputs[0], axes)
    way = None if op._leaves() else way_of(op.axes, size)
    if way is not None:
        shape = (1, out.shape(node.inputs[0])[-1], *map(len, op.axes))
        sizes = out.constant("sizes", np.array(shape, np.int64))
        out.write(node.output, out.node("Resize", [value, "", "", sizes], **way), axes)
        return
    for axis, (own, length) in enumerate(zip(op.axes, size, strict=True)):
        matrix = np.zeros((len(own), length), np.float32)
        for row, first, weights in zip(matrix, own.first, own.weights, strict=True):
            row[max(first, 0) : max(first, 0) + own.taps] = weights if first >= 0 else 0
        letter = letters[2 + axis]
        made = letters.replace(letter, "o")
        equation = f"{letters},o{letter}->{made}"
        value = out.node("Einsum", [value, out.constant("weights", matrix)], equation=equation)
    if op._leaves():
        beyond = op._filled(np.zeros((1, *map(len, op.axes), 1), np.float32), op.outside)
        extra = out.constant("outside", beyond.transpose(axes))
        value = out.node("Add", [value, extra])
    out.write(node.output, value, axes)


def _call(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Resize)
    dtype, shift = DType.FLOAT32, 0
    weights: Sequence[Array] = [np.array(own.weights, np.float32) for own in op.axes]
    if sig.output.quant is not None:
        weights, shift = sig.once(_factors)
        dtype = DType.INT16
    axes = list(zip(op.axes, weights, strict=True))
    if len(axes) == 2:
        axes.insert(1, (AxisTaps((0,), ((1.0,),)), np.ones((1, 1))))
    fields: dict[str, Field] = {
        "in_w": sig.inputs[0].shape[-2],
        "channels": sig.output.channels,
        "out_h": len(axes[1][0]),
        "out_w": len(axes[2][0]),
        "outside": op.outside,
    }
    for name, (own, values) in zip("dhw", axes, strict=True):
        first = np.array([index % (_NOT_THERE + 1) for index in own.first])
        fields[f"first_{name}"] = ConstArray(DType.UINT16, first.astype(np.uint16), "tables")
        fields[f"weights_{name}"] = ConstArray(dtype, values.astype(dtype.numpy), "tables")
        fields[f"taps_{name}"] = own.taps
    if dtype is DType.INT16:
        zero_points = {"in_zero_point": sig.inputs[0].q.z, "out_zero_point": sig.output.q.z}
        fields |= {"shift": shift, "outside": _code(sig), **zero_points}
    return (Call(fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Eight channels of an output at a time, by lines and taps."""
    op, channels = sig.op, sig.output.channels
    assert isinstance(op, Resize)
    pixels, blocks = sig.output.elements // channels, -(-channels // 8)
    *outer, wide = (own.taps for own in op.axes)
    read = [int(np.count_nonzero(np.array(own.weights))) for own in op.axes[:-1]]
    lines = math.prod(read) * len(op.axes[-1])
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "block": pixels * blocks,
        "try": pixels * blocks * math.prod(outer),
        "line": lines * blocks,
        "line_one": lines * channels,
        "tap": lines * blocks * wide,
        "one": lines * wide * channels,
        "output": sig.output.elements,
    }


OPS = (Resize,)
KERNELS = (
    Kernel(Resize, "mplan_resize_s8", _call, cost_class="pool", work=_work),
    Kernel(Resize, "mplan_resize_f32", _call, types=FLOAT_TYPES, cost_class="pool", work=_work),
)
WRITERS = {Resize: write_resize}
