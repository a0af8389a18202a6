# SPDX-License-Identifier: Apache-2.0
"""Convolution over two or three axes of an input that may be spaced: 3-D and transposed ones.

A transposed convolution with stride s is a convolution with stride 1 and mirrored weights over
an input with s - 1 places between its elements. Each output takes the products that there are,
so that rows are computed one by one, and no place is multiplied.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import ALL, SAME, AxisMap, Gathered, InputMap, Shape, Window, moved
from mcuplan.ir.graph import Node
from mcuplan.ir.op import (
    NO_CLAMP,
    Cost,
    Example,
    Op,
    QuantRule,
    Signature,
)
from mcuplan.ir.types import Array, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._windows import Pads, channels_first, group_channels, output_size
from mcuplan.ops.fields import (
    FLOAT_TYPES,
    finish,
    float_clamped,
)

__all__ = ["OPS", "WRITERS", "Conv3D", "folded"]


@dataclass(frozen=True, slots=True)
class Conv3D(Op):
    """Inputs: x [1,H,W,C] or [1,D,H,W,C], weights [O,kh,kw,C/groups] or [O,kd,..], bias [O].

    Windows lie on x with ``up - 1`` places between its elements; negative padding leaves some out.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads
    up: tuple[int, ...]
    groups: int = 1
    act: tuple[float, float] = NO_CLAMP

    quant_rule = QuantRule.WEIGHTED
    fuses_activation = True
    types = (Types(), FLOAT_TYPES)
    weight_inputs = (1, 2)

    @property
    def label(self) -> str:
        """Conv 3x3x3, or ConvT where the input is spaced."""
        spaced = max(self.up) > 1
        steps = max(self.up if spaced else self.stride)
        kind = "ConvT" if spaced else "Conv"
        return f"{kind} {'x'.join(map(str, self.kernel))}{f' s{steps}' if steps > 1 else ''}"

    def _axes(self) -> Iterator[tuple[Window, int, int]]:
        """Window over the spaced input, padding behind it, and spacing of each axis."""
        half = len(self.kernel)
        windows = map(Window, self.kernel, self.stride, self.dilation, self.pads)
        return zip(windows, self.pads[half:], self.up, strict=True)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Output type; the padding may not swallow the input."""
        n, *size, _ = inputs[0].shape
        out = [
            output_size((s - 1) * up + 1, w.size, w.stride, w.dilation, w.before + after)
            for s, (w, after, up) in zip(size, self._axes(), strict=True)
        ]
        if min(out) < 1:
            raise UnsupportedOp(f"a {self.kernel} kernel does not fit into {size} elements")
        return (TensorType((n, *out, inputs[1].shape[0])),)

    def elements(self, size: Sequence[int], made: Sequence[int]) -> list[Array]:
        """For each axis the element under each tap of each window, -1 where there is none."""
        found = []
        for n, count, (window, _, up) in zip(size, made, self._axes(), strict=True):
            places = window.places(count)
            inside = (places >= 0) & (places % up == 0) & (places // up < n)
            found.append(np.where(inside, places // up, -1))
        return found

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Elements under the taps, of the channels of a group, and its filter."""
        elements = self.elements(inputs[0][1:-1], output[1:-1])
        spatial = map(_taken, elements, inputs[0][1:-1])
        channels = group_channels(self.groups, inputs[0][-1], output[-1])
        filters = moved(0, len(output) - 1)
        rest = (ALL,) * (len(inputs[1]) - 1)
        return (SAME, *spatial, channels), (filters, *rest), (filters,)

    def _products(self, x: Array, weights: Array) -> Iterator[tuple[Array, Array]]:
        """In the order of the C kernels, by tap and channel: where it is, and its products."""
        made = self.infer([TensorType(x.shape), TensorType(weights.shape)])[0].shape
        elements = self.elements(x.shape[1:-1], made[1:-1])
        per_group = weights.shape[0] // self.groups
        first = np.arange(weights.shape[0]) // per_group * weights.shape[-1]
        for *tap, c in np.ndindex(*weights.shape[1:]):
            at = [own[:, t] for own, t in zip(elements, tap, strict=True)]
            held = np.array(True)
            for own in at:
                held = np.logical_and.outer(held, own >= 0)
            taken = x[np.ix_(np.arange(len(x)), *at, first + c)]
            yield held[None, ..., None], taken * weights[(slice(None), *tap, c)]

    def _sums(self, x: Array, weights: Array) -> Array:
        made = (np.where(held, made, 0) for held, made in self._products(x, weights))
        return functools.reduce(np.add, made)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float convolution with bias and clamp."""
        x, weights, bias = arrays
        sums = self._sums(x.astype(np.float64), weights) + bias
        return (np.clip(sums, *self.act).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """From the bias on by tap and channel; what lies on no element takes no part."""
        x, weights, bias = arrays
        sums = bias.astype(np.float32)
        with np.errstate(all="ignore"):
            for held, products in self._products(x, weights):
                sums = np.where(held, sums + products, sums)
        return (float_clamped(sums, self.act),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Sums of inputs less their zero point; the bias has that folded in, for all taps."""
        weights = sig.constant(1).astype(np.int64)
        sums = self._sums(arrays[0].astype(np.int64) - sig.inputs[0].q.z, weights)
        return (finish(sig, sums + folded(sig)),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """A MAC for each product that there is; padding counts where nothing is spaced."""
        per_tap = outputs[0].channels * inputs[1].shape[-1]
        if max(self.up) == 1:
            return Cost(macs=outputs[0].elements * math.prod(inputs[1].shape[1:]))
        return Cost(macs=per_tap * math.prod(self.taps_inside(inputs[0], outputs[0])))

    def taps_inside(self, source: TensorType, output: TensorType) -> list[int]:
        """Taps on elements of all windows along each axis."""
        elements = self.elements(source.shape[1:-1], output.shape[1:-1])
        return [int((own >= 0).sum()) for own in elements]

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Doubled, mirrored borders, more spaced than wide, dilated, in groups, three axes."""
        one, two = (1, 1), (2, 2)
        cases = [
            (cls(two, one, one, (1, 1, 1, 1), two), (1, 3, 4, 3), 4),
            (cls((3, 3), one, one, (1, 1, 2, 2), two, act=(0.0, 6.0)), (1, 4, 3, 2), 3),
            (cls((2, 3), one, (2, 1), (2, 0, 1, 1), (3, 2)), (1, 4, 5, 5), 2),
            (cls((2, 1), one, one, (1, 0, 2, 0), (4, 1), 2), (1, 5, 1, 4), 6),
            (cls((3, 3), one, one, (-1, -1, 0, -1), two, 3), (1, 5, 4, 3), 3),
            (cls((2, 2, 2), (1,) * 3, (1,) * 3, (1,) * 6, (2, 2, 2)), (1, 2, 2, 3, 2), 3),
            (cls((3, 2, 3), (2, 1, 2), (1, 2, 1), (1, 0, 1) * 2, (1,) * 3), (1, 5, 4, 5, 3), 4),
            (cls((1, 3, 3), (1,) * 3, (1,) * 3, (0, 1, 1) * 2, (1,) * 3, 2), (1, 3, 4, 4, 4), 2),
        ]
        for op, shape, outputs in cases:
            weights = (outputs, *op.kernel, shape[-1] // op.groups)
            yield Example(op, (shape, weights, (outputs,)), constants=(1, 2))


def _taken(elements: Array, size: int) -> AxisMap:
    """The map of an axis; a tap on no element is said to read one that a neighbour reads."""
    inside = np.where(elements < 0, elements.max(axis=1, keepdims=True), elements)
    table = np.clip(inside, 0, size - 1).tolist()
    return Gathered(tuple(map(tuple, table)))


def folded(sig: Signature) -> Array:
    """What the zero point of the input takes from the bias of each channel."""
    weights = sig.constant(1).astype(np.int64)
    taken: Array = sig.inputs[0].q.z * weights.reshape(len(weights), -1).sum(axis=1)
    return taken


# -- writer -------------------------------------------------------------------------------


def write_conv3d(node: Node, out: Writer) -> None:
    """Conv or ConvTranspose, and Relu or Clip where an activation is fused."""
    op = node.op
    assert isinstance(op, Conv3D)
    axes = channels_first(op.kernel)
    x, bias = out.read(node.inputs[0], axes), out.read(node.inputs[2])
    shared: dict[str, Any] = {
        "kernel_shape": op.kernel,
        "dilations": op.dilation,
        "group": op.groups,
    }
    if max(op.up) == 1 and min(op.pads) >= 0:
        weights = out.read(node.inputs[1], axes)
        value = out.node("Conv", [x, weights, bias], strides=op.stride, pads=op.pads, **shared)
    else:
        half = len(op.kernel)
        wide = [(k - 1) * d for k, d in zip(op.kernel, op.dilation, strict=True)]
        cut = [w - p for w, p in zip((*wide, *wide), op.pads, strict=True)]
        more = [max(0, -c) for c in cut[half:]]
        value = out.node(
            "ConvTranspose",
            [x, _mirrored(node.inputs[1], op, out), bias],
            strides=op.up,
            pads=(*cut[:half], *(max(0, c) for c in cut[half:])),
            output_padding=tuple(more),
            **shared,
        )
    out.write(node.output, out.clamped(value, op.act), axes)


def _mirrored(tensor: str, op: Conv3D, out: Writer) -> str:
    """Weights as ConvTranspose has them: [C, O/groups, kh, kw], mirrored."""
    filters, *kernel, channels = out.shape(tensor)
    half, apart = len(kernel), filters // op.groups
    value = out.read(tensor, channels_first(op.kernel))
    split = (op.groups, apart, channels, *kernel)
    whole = (op.groups * channels, apart, *kernel)
    turned = (0, 2, 1, *range(3, 3 + half))
    value = out.node("Reshape", [value, out.constant("split", np.array(split, np.int64))])
    value = out.node("Transpose", [value], perm=turned)
    value = out.node("Reshape", [value, out.constant("whole", np.array(whole, np.int64))])
    ends = ([-1] * half, [-(2**31)] * half, range(2, 2 + half), [-1] * half)
    names = ("starts", "ends", "axes", "steps")
    lists = [out.constant(n, np.array(e, np.int64)) for n, e in zip(names, ends, strict=True)]
    return out.node("Slice", [value, *lists])


OPS = (Conv3D,)
WRITERS = {Conv3D: write_conv3d}
