# SPDX-License-Identifier: Apache-2.0
"""LayerNormalization over the last axes, in integers: one inverse square root for each pixel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import ScaleError, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode, plain
from mcuplan.ir.geometry import InputMap, Shape, over_last
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._flattened import add_flattened
from mcuplan.ops._read import held_ending_with, normal_axis

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "LayerNorm"]

_UNIT_BITS = 20  # of fraction of a value less its mean, over the deviation
_SPREAD_BITS = 16  # of fraction of the variance times the square of the number of channels
_UNIT_SHIFT = 31 - _SPREAD_BITS // 2 - _UNIT_BITS
_FINE_BITS = 16  # of fraction of a result, in steps of the output
_MOST_CHANNELS = 0xFFFF
_MOST_STEPS = 32_000  # of the output that a result may be away from its zero point: below 2^15


@dataclass(frozen=True, slots=True)
class LayerNorm(Op):
    """``(x - mean) / sqrt(variance + epsilon) * gain + offset``, each pixel over its channels."""

    gains: tuple[float, ...]
    offsets: tuple[float, ...]
    epsilon: float = 1e-5

    inplace_inputs = (0,)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape; a gain and an offset for each element of the last axis."""
        channels = inputs[0].shape[-1]
        if not len(self.gains) == len(self.offsets) == channels:
            raise UnsupportedOp(f"{len(self.gains)} gains for {channels} channels")
        if channels > _MOST_CHANNELS:
            raise UnsupportedOp(f"normalizes {channels:,} values, {_MOST_CHANNELS:,} at most")
        return (TensorType(inputs[0].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All of the last axis."""
        return over_last(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float, moments in double precision."""
        x = arrays[0].astype(np.float64)
        below = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(below).mean(axis=-1, keepdims=True)
        unit = below / np.sqrt(variance + self.epsilon)
        return ((unit * self.gains + self.offsets).astype(np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Sums, root, one reciprocal for each pixel; as `mplan_layer_norm_s8`."""
        factors = _factors_of(sig)
        q = arrays[0].astype(np.int64)
        n, total = q.shape[-1], q.sum(axis=-1, keepdims=True)
        spread = n * np.square(q).sum(axis=-1, keepdims=True) - np.square(total)
        spread = (spread << _SPREAD_BITS) + (factors.epsilon << factors.epsilon_shift)
        bits = np.frompyfunc(int.bit_length, 1, 1)(spread.astype(object)).astype(np.int64)
        half = -((32 - bits) // 2)
        short = np.where(half > 0, spread >> np.maximum(2 * half, 0), spread)
        short = short << np.maximum(-2 * half, 0)
        root = np.frompyfunc(math.isqrt, 1, 1)(short.astype(object)).astype(np.int64)
        reciprocal = ((1 << 31) + (root >> 1)) // root
        unit = _shifted((n * q - total) * reciprocal, half + _UNIT_SHIFT)
        fine = _shifted(unit * factors.gains, factors.gain_shift) + factors.offsets
        steps = _shifted(fine, _FINE_BITS)
        return (sig.output.dtype.clip(steps + sig.output.q.z),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """Sum, square, difference, quotient, gain, offset: six operations an element."""
        return Cost(ops=6 * outputs[0].elements)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Tokens, pixels, a vector, one channel; gains of either sign and 0."""
        for gains, offsets, shape in [
            ((1.0, 0.5, -0.25, 0.0), (0.0, 0.1, -0.2, 0.3), (1, 6, 4)),
            ((1.0, 2.0, 0.125), (0.0, 0.0, 0.5), (1, 3, 5, 3)),
            ((0.5,) * 40, (0.25,) * 40, (1, 40)),
            ((1.0,), (0.5,), (1, 4, 1)),
        ]:
            yield Example(cls(gains, offsets), (shape,))
        yield Example(cls((1.0, 1.0), (0.0, 0.0), 0.25), ((1, 5, 2),))


@dataclass(frozen=True, slots=True)
class _Factors:
    """Constants of the kernel, as its params struct names them."""

    gains: Array  # int32 [channels]
    gain_shift: int
    offsets: Array  # int32 [channels]
    epsilon: int
    epsilon_shift: int


def _factors_of(sig: Signature) -> _Factors:
    """Constants of a node.

    Raises:
        ScaleError: results could be too far from the output's zero point, or epsilon too far
            above the input's steps.
    """
    op = sig.op
    assert isinstance(op, LayerNorm)
    channels, step = len(op.gains), sig.output.q.s
    gains, offsets = np.array(op.gains) / step, np.array(op.offsets) / step
    reach = math.sqrt(channels) * np.abs(gains).max() + np.abs(offsets).max()
    if not reach < _MOST_STEPS:
        raise ScaleError(
            f"output scale {step:.3g} is far too small for its layer",
            hint="calibrate with representative data",
        )
    bits = 30 - max(0, math.frexp(np.abs(gains).max())[1])  # below 2^31 once rounded
    epsilon = channels**2 * op.epsilon / sig.inputs[0].q.s ** 2 * 2.0**_SPREAD_BITS
    if not epsilon < 2.0**62:
        raise ScaleError(
            f"input scale {sig.inputs[0].q.s:.3g} lies far below the epsilon of its layer",
            hint="calibrate with representative data",
        )
    epsilon_shift = max(0, math.frexp(epsilon)[1] - 31)
    return _Factors(
        gains=np.floor(gains * 2.0**bits + 0.5).astype(np.int64),
        gain_shift=bits + _UNIT_BITS - _FINE_BITS,
        offsets=np.floor(offsets * 2.0**_FINE_BITS + 0.5).astype(np.int64),
        epsilon=max(1, math.floor(epsilon / 2.0**epsilon_shift + 0.5)),
        epsilon_shift=epsilon_shift,
    )


def _shifted(values: Array, right: Array | int) -> Array:
    """Halves up; to the left where ``right`` is negative."""
    right = np.asarray(right, np.int64)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    result: Array = (values << np.maximum(-right, 0)) + half >> np.maximum(right, 0)
    return result


# -- reader and writer --------------------------------------------------------------------


def read_layer_norm(node: OnnxNode, build: Builder) -> None:
    """LayerNormalization with constant scale and bias; several axes are seen as one."""
    if any(node.outputs[1:]):
        raise UnsupportedOp("outputs of statistics", hint="export the model in evaluation mode")
    name, shape = node.input(0), build.shape(node.input(0))
    axis = normal_axis(node.get_int("axis", -1), len(shape))
    given = [build.constant(node.input(i)) for i in (1, 2) if node.input(i)]
    if any(value is None for value in given):
        raise UnsupportedOp("scale or bias is computed", hint="freeze the weights")
    inner_shape = shape[axis:]
    spread = [
        tuple(float(v) for v in np.broadcast_to(value.data, inner_shape).reshape(-1))
        for value in given
        if value is not None
    ]
    offsets = spread[1] if len(spread) > 1 else (0.0,) * len(spread[0])
    op = LayerNorm(spread[0], offsets, node.get_float("epsilon", 1e-5))
    before = shape[:axis] or (1,)  # all axes: samples are apart on one of their own
    if axis and len(inner_shape) == 1:
        layout = held_ending_with(build, name, axis) or plain(len(shape))
        build.add(op, [build.in_layout(name, layout)], node, layout)
        return
    add_flattened(op, node, build, (*before, math.prod(inner_shape)))


def write_layer_norm(node: Node, out: Writer) -> None:
    """What the operator means, in operators that every opset has, along our last axis."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, LayerNorm)
    last = axes.index(len(axes) - 1)
    sizes = [len(op.gains) if i == last else 1 for i in range(len(axes))]
    x = out.read(node.inputs[0], axes)
    below = out.node("Sub", [x, out.node("ReduceMean", [x], axes=(last,), keepdims=1)])
    squares = out.node("Mul", [below, below])
    variance = out.node("ReduceMean", [squares], axes=(last,), keepdims=1)
    epsilon = out.constant("epsilon", np.array(op.epsilon, np.float32))
    unit = out.node("Div", [below, out.node("Sqrt", [out.node("Add", [variance, epsilon])])])
    gains = out.constant("gains", np.array(op.gains, np.float32).reshape(sizes))
    offsets = out.constant("offsets", np.array(op.offsets, np.float32).reshape(sizes))
    out.write(node.output, out.node("Add", [out.node("Mul", [unit, gains]), offsets]), axes)


# -- kernel -------------------------------------------------------------------------------


def _layer_norm(sig: Signature) -> tuple[Call, ...]:
    factors, channels = _factors_of(sig), sig.output.shape[-1]
    fields: dict[str, Field] = {
        "gain": ConstArray(DType.INT32, factors.gains),
        "offset": ConstArray(DType.INT32, factors.offsets),
        "pixels": sig.output.row_bytes // channels,
        "epsilon": factors.epsilon,
        "channels": channels,
        "epsilon_shift": factors.epsilon_shift,
        "gain_shift": factors.gain_shift,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(fields),)


OPS = (LayerNorm,)
KERNELS = (Kernel(LayerNorm, "mplan_layer_norm_s8", _layer_norm),)
READERS = {"LayerNormalization": read_layer_norm}
WRITERS = {LayerNorm: write_layer_norm}
