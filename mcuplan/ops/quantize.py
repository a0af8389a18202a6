# SPDX-License-Identifier: Apache-2.0
"""Rounding to a grid, as a QuantizeLinear/DequantizeLinear pair of a model does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import DamagedModel, ScaleError, UnsupportedOp, UnsupportedType
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops.conversion import REQUANTIZE, requantize_call, requantize_work, requantized
from mcuplan.ops.unary import lookup_call, requantize_table

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Quantize", "grid"]


_WIDE = (
    (DType.INT8, DType.INT16),
    (DType.INT16, DType.INT8),
    (DType.INT16, DType.INT16),
)


@dataclass(frozen=True, slots=True)
class Quantize(Op):
    """Real values rounded to a grid: ``scale * (q - zero_point)`` with q in int8 or int16."""

    scale: float
    zero_point: int
    dtype: DType = DType.INT8

    quant_rule = QuantRule.FIXED
    inplace_inputs = (0,)
    types = (Types(), *(Types((read,), (made,)) for read, made in _WIDE))

    @property
    def fixed_quant(self) -> Quant:
        """The grid."""
        return Quant.per_tensor(self.scale, self.zero_point, self.dtype)

    @property
    def is_wide(self) -> bool:
        """Whether that is its grid."""
        return self.dtype is DType.INT16

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape."""
        return (TensorType(inputs[0].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """QuantizeLinear then DequantizeLinear in float32, as ONNX defines them."""
        with np.errstate(over="ignore"):
            q = self.fixed_quant.quantize(arrays[0])
        return (_real(q, self.fixed_quant),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """int8 on one grid to int8 on another, through float32 as the model has it."""
        if DType.INT16 in (sig.inputs[0].dtype, sig.output.dtype):
            return (requantized(sig, arrays[0]),)
        return (self.fixed_quant.quantize(_real(arrays[0], sig.inputs[0].q)),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Rows of pixels, a vector; fine and coarse grids, zero points at the ends."""
        yield Example(cls(0.125, 0), ((1, 3, 4, 2),))
        yield Example(cls(0.0173, -128), ((1, 7),))
        yield Example(cls(3.5, 127), ((1, 2, 5),))


def _real(q: Array, quant: Quant) -> Array:
    difference = (q.astype(np.int32) - quant.z).astype(np.float32)
    real: Array = difference * np.float32(quant.s)
    return real


def grid(scale: Array, zero_point: Array, axis: int | None = None) -> Quant:
    """The grid of a scale and zero point of the model; uint8 is moved to int8, uint16 to int16.

    ``axis`` is the axis of per-channel values; int32 is for biases.

    Raises:
        ScaleError: a scale is not positive and finite in float32.
        UnsupportedType: integers other than of 8 and 16 bits and int32, or a scale not float32.
        DamagedModel: scale and zero point differ in size.
    """
    if scale.dtype != np.float32:
        raise UnsupportedType(f"a scale of type {scale.dtype}", hint="export with float32 scales")
    if zero_point.dtype not in (np.int8, np.uint8, np.int16, np.uint16, np.int32):
        raise UnsupportedType(
            f"integers of type {zero_point.dtype}", hint="quantize activations and weights to int8"
        )
    if scale.size != zero_point.size:
        raise DamagedModel(f"{scale.size} scales and {zero_point.size} zero points")
    wrong = scale[~(np.isfinite(scale) & (scale > 0))]
    if wrong.size:
        raise ScaleError(
            f"scale {float(wrong.flat[0])!r} is not positive and finite",
            hint="calibrate with representative data, or quantize again",
        )
    dtype, zeros = DType.of(zero_point), tuple(int(z) for z in zero_point.reshape(-1))
    found = Quant(tuple(float(s) for s in scale.reshape(-1)), zeros, axis, dtype)
    signed = {DType.UINT8: DType.INT8, DType.UINT16: DType.INT16}
    return found.stored_as(signed[dtype]) if dtype in signed else found


def _activation_grid(node: OnnxNode, build: Builder) -> Quant:
    scale, zero_point = build.constant(node.input(1)), build.constant(node.input(2))
    if scale is None or zero_point is None:
        raise UnsupportedOp(
            "scale or zero point is computed while the model runs",
            hint="quantize statically, with calibration data",
        )
    if scale.data.size != 1:
        raise UnsupportedOp(
            f"{scale.data.size} scales for an activation", hint="quantize activations per tensor"
        )
    if zero_point.data.dtype == np.int32:
        raise UnsupportedType("an int32 activation", hint="quantize activations to int8")
    return grid(scale.data, zero_point.data)


def read_quantize(node: OnnxNode, build: Builder) -> None:
    """QuantizeLinear of an activation; nothing to do where it lies on that grid already."""
    quant, name = _activation_grid(node, build), node.input(0)
    layouts = build.held_layouts(name)
    if build.quant(name) == quant:
        build.alias(node.outputs[0], name, layouts)
        return
    layout, source = next(iter(layouts.items()))
    build.add(Quantize(quant.s, quant.z, quant.dtype), [source], node, layout, quant=quant)


def read_dequantize(node: OnnxNode, build: Builder) -> None:
    """DequantizeLinear of an activation: the values are real ones already."""
    quant, name = _activation_grid(node, build), node.input(0)
    if build.quant(name) != quant:
        raise UnsupportedOp(
            f"reads integers of another grid (scale {quant.s:.6g}, zero point {quant.z})",
            hint="use the scale and zero point of the QuantizeLinear before it",
        )
    build.alias(node.outputs[0], name, build.held_layouts(name))


def write_quantize(node: Node, out: Writer) -> None:
    """The input, which the grid of the output then rounds."""
    axes = out.orders(node.inputs[0])[0]
    out.write(node.output, out.read(node.inputs[0], axes), axes)


def _quantize(sig: Signature) -> tuple[Call, ...]:
    """A step of its own only where one tensor is needed on two grids."""
    return lookup_call(sig, requantize_table(sig.inputs[0].q, sig.output.q))


OPS = (Quantize,)
KERNELS = (
    Kernel(Quantize, "mplan_lookup_s8", _quantize, cost_class="copy"),
    *(
        Kernel(Quantize, REQUANTIZE, requantize_call, types=types, work=requantize_work)
        for types in Quantize.types[1:]
    ),
)
READERS = {"DequantizeLinear": read_dequantize, "QuantizeLinear": read_quantize}
WRITERS = {Quantize: write_quantize}
