# SPDX-License-Identifier: Apache-2.0
"""Softmax over the last axis, in fixed point from tables of exponentials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuplan.errors import ScaleError
from mcuplan.ir.builder import Builder, OnnxNode, plain
from mcuplan.ir.geometry import InputMap, Shape, over_last
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Cost, Example, Field, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._flattened import add_flattened
from mcuplan.ops._math_f32 import exp_f32
from mcuplan.ops._read import held_ending_with, normal_axis
from mcuplan.ops.fields import INT16_TYPES

__all__ = [
    "KERNELS",
    "OPS",
    "READERS",
    "REAL",
    "WRITERS",
    "OverClasses",
    "Softmax",
    "classes_call",
    "exponentials",
    "powers_f32",
    "read_softmax",
    "softmax_constants",
    "write_softmax",
]

_TABLE_BITS = 23
_SCALE_BITS = 15
_NO_SHARE = 16 * math.log(2.0)  # a share of 2**-16 is half a step of int16, the finest grid


@dataclass(frozen=True, slots=True)
class OverClasses(Op):
    """What is made of exponentials over the last axis."""

    ranks_classes = True
    inplace_inputs = (0,)
    types: ClassVar[tuple[Types, ...]] = (Types(), Types.all(DType.FLOAT32))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape."""
        return (TensorType(inputs[0].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All of the last axis."""
        return over_last(inputs)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """Maximum, exponential, sum, product: four operations an element."""
        return Cost(ops=4 * outputs[0].elements)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """A vector, rows of pixels, one class, many."""
        for shape in [(1, 10), (1, 3, 4, 5), (1, 7, 2), (1, 1), (1, 1000)]:
            yield Example(cls(), (shape,))


def powers_f32(x: Array) -> tuple[Array, Array, Array]:
    """What is left of the largest class, its exponential, and their sum from the first class on.

    In float32, as kernels compute it: [..., classes], [..., classes], [..., 1].
    """
    with np.errstate(invalid="ignore"):
        below = x - x.max(axis=-1, keepdims=True)
    powers = exp_f32(below)
    return below, powers, np.add.accumulate(powers, axis=-1)[..., -1:]


@dataclass(frozen=True, slots=True)
class Softmax(OverClasses):
    """``exp(x - max) / sum(exp(x - max))`` over the last axis."""

    quant_rule = QuantRule.FIXED
    types = (*OverClasses.types, INT16_TYPES)

    @property
    def fixed_quant(self) -> Quant:
        """Outputs lie in [0, 1): scale 1/256 from -128, where the model brings no other."""
        return Quant.per_tensor(1 / 256, DType.INT8.low)

    def fixed_grid(self, dtype: DType) -> Quant | None:
        """In int16 from 0 on."""
        wide = dtype is DType.INT16
        return Quant.per_tensor(2.0**-15, 0, dtype) if wide else self.fixed_quant

    def told_apart(self, values: Array) -> Array:
        """A class so far below the largest has no share, however far it is."""
        least: Array = values.max(axis=-1, keepdims=True) - values.dtype.type(_NO_SHARE)
        return np.maximum(values, least, dtype=values.dtype)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float softmax."""
        e = np.exp(arrays[0] - arrays[0].max(axis=-1, keepdims=True))
        return ((e / e.sum(axis=-1, keepdims=True)).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Exponentials times one reciprocal."""
        _, powers, total = powers_f32(arrays[0])
        return (powers * (np.float32(1) / total),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Table, sum, one reciprocal for each pixel; as `mplan_softmax_s8`."""
        if sig.output.dtype is DType.INT16:
            return (_integer_s16(sig, arrays[0].astype(np.int64)),)
        table, scale = softmax_constants(sig)
        padded = np.zeros(256, np.int64)
        padded[: len(table)] = table
        q = arrays[0].astype(np.int64)
        e = padded[q.max(axis=-1, keepdims=True) - q]
        total = e.sum(axis=-1, keepdims=True)
        shift = np.maximum(0, np.frompyfunc(int.bit_length, 1, 1)(total.astype(object)) - 16)
        shift = shift.astype(np.int64)
        short = total >> shift
        reciprocal = ((1 << 31) + (short >> 1)) // short
        right = _SCALE_BITS - 1 + shift
        factor = (reciprocal * scale + (np.int64(1) << (right - 1))) >> right
        result = (e * factor + (1 << 31)) >> 32
        return (sig.output.dtype.clip(result + sig.output.q.z),)


def _integer_s16(sig: Signature, q: Array) -> Array:
    """As `mplan_softmax_s16`: an exponential is the product of two of a table each."""
    coarse, fine, scale = constants_s16(sig)
    below = q.max(axis=-1, keepdims=True) - q
    e = (np.pad(coarse, (0, 256 - len(coarse)))[below >> 8] * fine[below & 255] + (1 << 31)) >> 32
    share = e * ((1 << 61) // e.sum(axis=-1, keepdims=True)) >> 30
    return sig.output.dtype.clip((share * scale + (1 << 38) >> 39) + sig.output.q.z)


def constants_s16(sig: Signature) -> tuple[Array, Array, int]:
    """``exp(-256 * i * scale)`` and ``exp(-i * scale)`` in units of 2**-31; the output scale.

    Raises:
        ScaleError: the output scale is out of reach of a probability.
    """
    scale = math.floor(2.0**8 / sig.output.q.s + 0.5)
    if not 1 <= scale < 1 << 30:  # products of it with shares, 2**31 at most, stay in 64 bits
        raise ScaleError(
            f"output scale {sig.output.q.s:.3g} of a softmax", hint="2**-15 holds its values"
        )
    steps = np.arange(256) * sig.inputs[0].q.s
    coarse, fine = (np.floor(np.exp(-steps * n) * 2.0**31 + 0.5).astype(np.int64) for n in (256, 1))
    return coarse[: int(np.flatnonzero(coarse)[-1]) + 1], fine, scale


def softmax_constants(sig: Signature) -> tuple[Array, int]:
    """Exponentials ``exp(-d * scale)`` for ``d = max - q``, and ``1 / output scale``.

    Raises:
        ScaleError: the output scale is out of reach of a probability.
    """
    scale = math.floor(2.0**_SCALE_BITS / sig.output.q.s + 0.5)
    table, bits = exponentials(sig)
    # what exponentials are multiplied with, scale * 2**(32 - bits - _SCALE_BITS), stays in int32
    if not 1 << 8 <= scale < 1 << min(29, bits + _SCALE_BITS - 1):
        raise ScaleError(
            f"output scale {sig.output.q.s:.3g} of a softmax", hint="1/256 holds its values"
        )
    return table, scale


def exponentials(sig: Signature) -> tuple[Array, int]:
    """Table of ``exp(-d * scale)`` in units of ``2**-bits``, and ``bits``.

    As fine as the number of classes allows, so that a sum fits 32 bits; it ends where the
    exponentials round to 0.
    """
    classes = sig.inputs[0].shape[-1]
    bits = min(_TABLE_BITS, 31 - (classes - 1).bit_length())
    exact = np.exp(-np.arange(256) * sig.inputs[0].q.s) * float(1 << bits)
    table = np.floor(exact + 0.5).astype(np.int64)
    length = int(np.flatnonzero(table)[-1]) + 1
    return table[:length], bits


def read_softmax(node: OnnxNode, build: Builder, op: Op | None = None) -> None:
    """An operator over one axis, by default Softmax; before opset 13 over all from it on."""
    op = op or Softmax()
    name = node.input(0)
    shape = build.shape(name)
    rank = len(shape)
    axis = normal_axis(node.get_int("axis", 1 if node.opset < 13 else -1), rank)
    if node.opset < 13 and math.prod(shape[axis:]) != shape[axis]:
        add_flattened(op, node, build, (math.prod(shape[:axis]), math.prod(shape[axis:])))
        return
    last = (*(a for a in plain(rank) if a != axis), axis)
    layout = held_ending_with(build, name, axis) or last
    build.add(op, [build.in_layout(name, layout)], node, layout)


def write_softmax(node: Node, out: Writer, onnx: str = "Softmax") -> None:
    """Softmax over wherever our last axis lies."""
    axes = out.orders(node.inputs[0])[0]
    value = out.node(onnx, [out.read(node.inputs[0], axes)], axis=axes.index(max(axes)))
    out.write(node.output, value, axes)


def _softmax(sig: Signature) -> tuple[Call, ...]:
    table, scale = softmax_constants(sig)
    classes = sig.output.shape[-1]
    fields: dict[str, Field] = {
        "exponentials": ConstArray(DType.UINT32, table, "tables"),
        "exponentials_count": len(table),
        "scale": scale,
        "pixels": sig.output.row_bytes // classes,
        "classes": classes,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(fields),)


def _softmax_s16(sig: Signature) -> tuple[Call, ...]:
    coarse, fine, scale = constants_s16(sig)
    (call,) = classes_call(sig)
    fields: dict[str, Field] = {
        "coarse": ConstArray(DType.UINT32, coarse, "tables"),
        "fine": ConstArray(DType.UINT32, fine, "tables"),
        "coarse_count": len(coarse),
        "scale": scale,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(dict(call.fields) | fields),)


def classes_call(sig: Signature) -> tuple[Call, ...]:
    """The call of a kernel in float32, or what others have of it."""
    classes = sig.output.shape[-1]
    pixels = sig.output.elements // max(1, sig.output.rows * classes)
    return (Call({"pixels": pixels, "classes": classes}),)


REAL = Types.all(DType.FLOAT32)
OPS = (Softmax,)
KERNELS = (
    Kernel(Softmax, "mplan_softmax_s8", _softmax),
    Kernel(Softmax, "mplan_softmax_f32", classes_call, types=REAL),
    Kernel(Softmax, "mplan_softmax_s16", _softmax_s16, types=INT16_TYPES),
)
READERS = {"Softmax": read_softmax}
WRITERS = {Softmax: write_softmax}
