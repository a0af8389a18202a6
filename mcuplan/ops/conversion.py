# SPDX-License-Identifier: Apache-2.0
"""Between grids of int8 and int16, and float32: where layers of other types begin and end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.graph import Node
from mcuplan.ir.op import (
    NO_CLAMP,
    Call,
    Example,
    Field,
    Kernel,
    Op,
    QuantRule,
    Signature,
)
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.quant.requantize import act_limits, requantize, requantize_factors

__all__ = [
    "KERNELS",
    "OPS",
    "REQUANTIZE",
    "WRITERS",
    "FromGrid",
    "ToGrid",
    "ToType",
    "requantize_call",
    "requantize_work",
    "requantized",
]

REQUANTIZE = "mplan_requantize_s16"


_CODES = (DType.INT8, DType.INT16)


class _Conversion(Op):
    """Real values in another form: before quantization nothing happens."""

    __slots__ = ()
    quant_rule = QuantRule.FREE

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape."""
        return (TensorType(inputs[0].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Real values do not change."""
        return (arrays[0],)

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Those of the input."""
        return inputs[0]

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Rows of pixels, a vector."""
        yield Example(cls(), ((1, 3, 4, 2),))
        yield Example(cls(), ((1, 7),))


@dataclass(frozen=True, slots=True)
class FromGrid(_Conversion):
    """``scale * (q - zero_point)`` in float32."""

    types = tuple(Types((codes,), (DType.FLOAT32,)) for codes in _CODES)

    @property
    def label(self) -> str:
        """As ONNX calls it."""
        return "DequantizeLinear"

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """One product."""
        quant = sig.inputs[0].q
        steps = (arrays[0].astype(np.int32) - quant.z).astype(np.float32)
        return (steps * np.float32(quant.s),)


@dataclass(frozen=True, slots=True)
class ToGrid(_Conversion):
    """The nearest integers, half to even; beyond the grid its ends, and no number is real 0."""

    types = tuple(Types((DType.FLOAT32,), (codes,)) for codes in _CODES)

    @property
    def label(self) -> str:
        """As ONNX calls it."""
        return "QuantizeLinear"

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """A quotient in float32, rounded."""
        return (sig.output.q.quantize(arrays[0]),)


@dataclass(frozen=True, slots=True)
class ToType(_Conversion):
    """The same values on a grid of more bits or less: one requantization of each."""

    types = tuple(
        Types((read,), (made,))
        for read, made in ((DType.INT8, DType.INT16), (DType.INT16, DType.INT8))
    )

    @property
    def label(self) -> str:
        """As TFLite calls it."""
        return "Requantize"

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """One product, rounded half up."""
        return (requantized(sig, arrays[0]),)


def _factors(sig: Signature) -> tuple[int, int]:
    """Of steps from the zero point."""
    source = sig.inputs[0].q
    return requantize_factors(source.s / sig.output.q.s, source.dtype.steps)


def requantized(sig: Signature, q: Array, act: tuple[float, float] = NO_CLAMP) -> Array:
    """Integers on the grid of the input as those on that of the output, within real limits."""
    steps = q.astype(np.int64) - sig.inputs[0].q.z
    output = sig.output.q
    return requantize(steps, *_factors(sig), output.z, act_limits(output, act), output.dtype)


def requantize_call(sig: Signature, act: tuple[float, float] = NO_CLAMP) -> tuple[Call, ...]:
    """The call that does so."""
    multiplier, pre_shift = _factors(sig)
    low, high = act_limits(sig.output.q, act)
    fields: dict[str, Field] = {
        "elements": sig.output.elements // max(1, sig.output.rows),
        "multiplier": multiplier,
        "pre_shift": pre_shift,
        "in_zero_point": sig.inputs[0].q.z,
        "out_zero_point": sig.output.q.z,
        "act_min": low,
        "act_max": high,
        "from_wide": int(sig.inputs[0].dtype is DType.INT16),
        "to_wide": int(sig.output.dtype is DType.INT16),
    }
    return (Call(fields),)


def write_conversion(node: Node, out: Writer) -> None:
    """The input; the grid of a tensor is written with the tensor."""
    axes = out.orders(node.inputs[0])[0]
    out.write(node.output, out.read(node.inputs[0], axes), axes)


def _convert(sig: Signature) -> tuple[Call, ...]:
    (quant,) = (kind.quant for kind in (sig.inputs[0], sig.output) if kind.quant is not None)
    elements = sig.output.elements // max(1, sig.output.rows)
    return (Call({"elements": elements, "zero_point": quant.z, "scale": quant.s}),)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """A loop over the elements of each row."""
    return {"call": len(runs), "row": sig.output.rows, "element": sig.output.elements}


def requantize_work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """As conversions count; what is read and made takes different loops."""
    kinds = f"{sig.inputs[0].dtype.suffix}_{sig.output.dtype.suffix}"
    return {**_work(sig, runs), kinds: sig.output.elements}


OPS = (FromGrid, ToGrid, ToType)
KERNELS = (
    *(
        Kernel(op, f"mplan_{name}_{suffix}", _convert, types=types, work=_work)
        for op, name in ((FromGrid, "dequantize"), (ToGrid, "quantize"))
        for suffix, types in zip(("f32", "wide_f32"), op.types, strict=True)
    ),
    *(
        Kernel(ToType, REQUANTIZE, requantize_call, types=types, work=requantize_work)
        for types in ToType.types
    ),
)
WRITERS = dict.fromkeys(OPS, write_conversion)
