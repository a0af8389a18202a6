# SPDX-License-Identifier: Apache-2.0
"""Sum, difference, product, quotient and extremes of two tensors, element by element."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcuplan.errors import ScaleError
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._broadcast import (
    INTEGERS,
    Binary,
    act_fields,
    broadcast_work,
    integer_kind,
    loop_fields,
    write_broadcast,
)
from mcuplan.ops._tables import apply_table
from mcuplan.ops.fields import INT16_TYPES
from mcuplan.quant.requantize import act_limits, requantize, requantize_factors

__all__ = [
    "KERNELS",
    "OPS",
    "WRITERS",
    "Add",
    "Div",
    "Maximum",
    "Minimum",
    "Mul",
    "Sub",
    "common_factors",
    "product_factors",
    "quotient",
]

_QUOTIENT_BITS = 23  # fraction of a reciprocal: 255 of them are far below half a step off


@dataclass(frozen=True, slots=True)
class _Scaled(Binary):
    """Operators that bring both operands to one fine grid first."""

    types = (*Binary.types, INT16_TYPES)

    def on_grid(self, sig: Signature, a: Array, b: Array) -> Array:
        """Both operands at one common shift, one rounding."""
        factors, shift = common_factors(sig)
        pairs = zip((a, b), sig.inputs, factors, strict=True)
        a, b = ((x.astype(np.int64) - kind.q.z) * m for x, kind, m in pairs)
        rounded = (self.value(a, b) + (1 << (shift - 1))) >> shift
        return _clamped(sig, rounded)


@dataclass(frozen=True, slots=True)
class Add(_Scaled):
    """``a + b``."""

    def value(self, a: Array, b: Array) -> Array:
        """Sum."""
        return a + b


@dataclass(frozen=True, slots=True)
class Sub(_Scaled):
    """``a - b``."""

    def value(self, a: Array, b: Array) -> Array:
        """Difference."""
        return a - b


@dataclass(frozen=True, slots=True)
class Maximum(_Scaled):
    """The larger of two elements."""

    constants_on_output = True

    def value(self, a: Array, b: Array) -> Array:
        """Larger one; no number where either is none."""
        return np.where((a > b) | (a != a), a, b)


@dataclass(frozen=True, slots=True)
class Minimum(_Scaled):
    """The smaller of two elements."""

    constants_on_output = True

    def value(self, a: Array, b: Array) -> Array:
        """Smaller one; no number where either is none."""
        return np.where((a < b) | (a != a), a, b)


@dataclass(frozen=True, slots=True)
class Mul(Binary):
    """``a * b``."""

    types = (*Binary.types, INT16_TYPES)

    def value(self, a: Array, b: Array) -> Array:
        """Product."""
        return a * b

    def on_grid(self, sig: Signature, a: Array, b: Array) -> Array:
        """Exact product, one requantization."""
        a, b = (x.astype(np.int64) - k.q.z for x, k in zip((a, b), sig.inputs, strict=True))
        limits = act_limits(sig.output.q, sig.op.act)
        output = sig.output.q
        return requantize(a * b, *product_factors(sig), output.z, limits, output.dtype)


@dataclass(frozen=True, slots=True)
class Div(Binary):
    """``a / b``, of integers towards 0.

    On grids x / 0 is the end of the range of x's sign, and 0 / 0 is 0; of integers both are 0.
    """

    def value(self, a: Array, b: Array) -> Array:
        """Quotient."""
        return a / b if a.dtype.kind == "f" else quotient(a, b)

    def on_grid(self, sig: Signature, a: Array, b: Array) -> Array:
        """Product with a reciprocal from a table of all divisors, one rounding."""
        reciprocal = apply_table(reciprocals(sig), b).astype(np.int64)
        product = (a.astype(np.int64) - sig.inputs[0].q.z) * reciprocal
        return _clamped(sig, (product + (1 << (_QUOTIENT_BITS - 1))) >> _QUOTIENT_BITS)


def quotient(a: Array, b: Array) -> Array:
    """Of integers, towards 0; by 0 it is 0. The least number by -1 is itself again."""
    plain = np.where((b == 0) | (b == -1), 1, b)
    down = a // plain
    towards = down + ((a % plain != 0) & ((a < 0) != (plain < 0)))
    with np.errstate(over="ignore"):
        by_one = np.where(b == -1, np.negative(a), towards)
    made: Array = np.where(b == 0, 0, by_one).astype(a.dtype)
    return made


def _clamped(sig: Signature, steps: Array) -> Array:
    """Integers of whole steps from the output's zero point, within the limits of the activation."""
    limited = np.clip(steps + sig.output.q.z, *act_limits(sig.output.q, sig.op.act))
    result: Array = limited.astype(sig.output.dtype.numpy)
    return result


# -- constants ----------------------------------------------------------------------------


def common_factors(sig: Signature) -> tuple[tuple[int, int], int]:
    """Factors of both operands and their common shift, the largest that int32 holds.

    Of int16 only the factors and the result are in int32, what is between in int64.

    Raises:
        ScaleError: the output scale is out of reach of an operand's.
    """
    ratios = [kind.q.s / sig.output.q.s for kind in sig.inputs]
    steps, wide = sig.output.dtype.steps, sig.output.dtype is DType.INT16
    for shift in range(30, 0, -1):
        a, b = (math.floor(ratio * 2.0**shift + 0.5) for ratio in ratios)
        most = steps * (a + b) + (1 << (shift - 1))
        if (max(a, b, most >> shift) if wide else most) < 1 << 31:
            return (a, b), shift
    raise ScaleError(
        f"output scale {sig.output.q.s:.3g} for operands of scale {sig.inputs[0].q.s:.3g} "
        f"and {sig.inputs[1].q.s:.3g}",
        hint="calibrate with representative data",
    )


def product_factors(sig: Signature) -> tuple[int, int]:
    """Multiplier and left shift of a product of steps."""
    real = sig.inputs[0].q.s * sig.inputs[1].q.s / sig.output.q.s
    return requantize_factors(real, math.prod(kind.dtype.steps for kind in sig.inputs))


def reciprocals(sig: Signature) -> Array:
    """``scale_a / (scale_b * (b - zero_point_b) * scale_out)`` of each b, as int32.

    Entries of 256 and more are cut to just below: any dividend but 0 saturates with them.
    """
    a, b = (kind.q for kind in sig.inputs)
    divisors = DType.INT8.codes.astype(np.float64) - b.z
    divisors[b.z - DType.INT8.low] = np.nan
    exact = np.floor(a.s / (b.s * divisors * sig.output.q.s) * 2.0**_QUOTIENT_BITS + 0.5)
    end = float(2**31 - 1)
    found: Array = np.clip(np.nan_to_num(exact, nan=end), -end, end).astype(np.int32)
    return found


# -- kernels ------------------------------------------------------------------------------


def _add(sig: Signature) -> tuple[Call, ...]:
    """A difference is a sum with a negative factor."""
    (a, b), shift = common_factors(sig)
    b = -b if isinstance(sig.op, Sub) else b
    offset = (1 << (shift - 1)) - sig.inputs[0].q.z * a - sig.inputs[1].q.z * b
    fields: dict[str, Field] = {
        "multiplier": a,
        "multiplier2": b,
        "offset": offset,
        "shift": shift,
    }
    return (Call(loop_fields(sig) | act_fields(sig) | fields, inputs=(0, 1)),)


def _extreme(sig: Signature) -> tuple[Call, ...]:
    (a, b), shift = common_factors(sig)
    half = 1 << (shift - 1)
    fields: dict[str, Field] = {
        "multiplier": a,
        "multiplier2": b,
        "offset": half - sig.inputs[0].q.z * a,
        "offset2": half - sig.inputs[1].q.z * b,
        "shift": shift,
        "smaller": int(isinstance(sig.op, Minimum)),
    }
    return (Call(loop_fields(sig) | act_fields(sig) | fields, inputs=(0, 1)),)


def _mul(sig: Signature) -> tuple[Call, ...]:
    multiplier, pre_shift = product_factors(sig)
    fields: dict[str, Field] = {
        "multiplier": multiplier,
        "pre_shift": pre_shift,
        "in_zero_point": sig.inputs[0].q.z,
        "in2_zero_point": sig.inputs[1].q.z,
    }
    return (Call(loop_fields(sig) | act_fields(sig) | fields, inputs=(0, 1)),)


def _div(sig: Signature) -> tuple[Call, ...]:
    fields: dict[str, Field] = {
        "reciprocal": ConstArray(DType.INT32, reciprocals(sig), "tables"),
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(loop_fields(sig) | act_fields(sig) | fields, inputs=(0, 1)),)


# Numbers of the headers mplan_binary_f32.h and mplan_binary_s64.h, which agree on these.
_WHAT: dict[type[Op], int] = {Add: 0, Sub: 1, Mul: 2, Div: 3, Maximum: 4, Minimum: 5}


def _plain(sig: Signature) -> tuple[Call, ...]:
    """Real values, or integers on no grid."""
    fields: dict[str, Field] = {"what": _WHAT[type(sig.op)]}
    if sig.output.dtype.is_float:
        fields |= act_fields(sig)
    else:
        kind = integer_kind(sig.output.dtype)
        fields |= {"in_kind": kind, "out_kind": kind}
    return (Call(loop_fields(sig) | fields, inputs=(0, 1)),)


def _plain_kernels(op: type[Op]) -> Iterator[Kernel]:
    yield Kernel(
        op, "mplan_binary_f32", _plain, types=Types.all(DType.FLOAT32), work=broadcast_work
    )
    for dtype in INTEGERS:
        yield Kernel(
            op, "mplan_binary_s64", _plain, types=Types.whole([dtype], [dtype]), work=broadcast_work
        )


OPS = (Add, Div, Maximum, Minimum, Mul, Sub)
KERNELS = (
    Kernel(Add, "mplan_add_s8", _add),
    Kernel(Sub, "mplan_add_s8", _add),
    Kernel(Maximum, "mplan_extreme_s8", _extreme),
    Kernel(Minimum, "mplan_extreme_s8", _extreme),
    Kernel(Mul, "mplan_mul_s8", _mul),
    Kernel(Div, "mplan_div_s8", _div),
    *(kernel for op in _WHAT for kernel in _plain_kernels(op)),
)
WRITERS: dict[type[Binary], Callable[[Node, Writer], None]] = {
    Add: partial(write_broadcast, onnx="Add"),
    Div: partial(write_broadcast, onnx="Div"),
    Maximum: partial(write_broadcast, onnx="Max"),
    Minimum: partial(write_broadcast, onnx="Min"),
    Mul: partial(write_broadcast, onnx="Mul"),
    Sub: partial(write_broadcast, onnx="Sub"),
}
