# SPDX-License-Identifier: Apache-2.0
"""Powers and remainders of two tensors, element by element: in float32, and of integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.op import Call, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ops._broadcast import (
    Binary,
    act_fields,
    add_broadcast,
    broadcast_work,
    integer_kind,
    loop_fields,
    write_broadcast,
)
from mcuplan.ops._pow_f32 import pow_f32
from mcuplan.ops._read import inner
from mcuplan.ops.cast import Cast
from mcuplan.ops.eltwise import quotient
from mcuplan.ops.unary import UnaryFn, add_lookup

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Mod", "Pow", "Rest"]

_NUMBERS = Binary.types[1:]  # float32, and integers on no grid
_NAN = np.float32(np.nan)


@dataclass(frozen=True, slots=True)
class Pow(Binary):
    """``a ** b``; of integers towards 0 where b is below 0."""

    types = _NUMBERS

    def value(self, a: Array, b: Array) -> Array:
        """Power."""
        if a.dtype.kind == "f":
            return pow_f32(a, b) if a.dtype == np.float32 else np.power(a, b)
        base, result = (np.array(np.broadcast_to(x, np.broadcast(a, b).shape)) for x in (a, a))
        result[...] = 1
        left = np.array(np.broadcast_to(b, base.shape)).astype(np.int64)
        below = left < 0
        ends = np.where(base == 1, 1, np.where(base == -1, np.where(left % 2 == 0, 1, -1), 0))
        left = np.maximum(left, 0)
        while left.any():
            result = np.where(left % 2 != 0, result * base, result).astype(a.dtype)
            base, left = base * base, left // 2
        return np.where(below, ends, result).astype(a.dtype)


@dataclass(frozen=True, slots=True)
class Rest(Binary):
    """What a division towards 0 leaves, exactly: it has the sign of a. Of integers by 0 it is 0."""

    types = _NUMBERS

    def value(self, a: Array, b: Array) -> Array:
        """Remainder."""
        if a.dtype.kind == "f":
            rest = np.fmod(a, b)
            return np.where(np.isnan(rest), _NAN, rest)
        rest = a - quotient(a, b) * b
        return np.where(b == 0, 0, rest).astype(a.dtype)


@dataclass(frozen=True, slots=True)
class Mod(Binary):
    """What a division towards minus infinity leaves: it has the sign of b, or is 0."""

    types = _NUMBERS

    def value(self, a: Array, b: Array) -> Array:
        """Remainder."""
        rest = Rest().value(a, b)
        return np.where((rest != 0) & ((rest < 0) != (b < 0)), rest + b, rest).astype(a.dtype)


# -- readers ------------------------------------------------------------------------------


def read_pow(node: OnnxNode, build: Builder) -> None:
    """Pow: of real values by one number a function of one value, else the base's type."""
    base, exponent = node.inputs
    real = build.dtype(base).is_float
    for index, name in ((1, "pow"), (0, "power_of")):
        given = build.constant(node.input(index))
        if given is not None and given.data.size == 1 and real:
            value = float(given.data.reshape(-1)[0])
            add_lookup(node, build, [UnaryFn(name, (value,))], 1 - index)
            return
    wanted = build.dtype(base)
    if not real and build.dtype(exponent).is_float:
        wanted = DType.FLOAT32  # and back again
    base, exponent = (_as(name, wanted, node, build) for name in (base, exponent))
    back = wanted is not build.dtype(node.input(0))
    made = inner(node, "power") if back else node
    add_broadcast(Pow(), (base, exponent), made, build)
    if back:
        _cast(made.outputs[0], build.dtype(node.input(0)), node, build)


def _as(name: str, dtype: DType, node: OnnxNode, build: Builder) -> str:
    """The name of a tensor in another type."""
    if build.dtype(name) is dtype:
        return name
    value = build.constant(name)
    made = inner(node, f"{name}:{dtype}")
    if value is not None:
        build.constants[made.outputs[0]] = replace(value, data=value.data.astype(dtype.numpy))
    else:
        _cast(name, dtype, made, build)
    return made.outputs[0]


def _cast(name: str, dtype: DType, node: OnnxNode, build: Builder) -> None:
    layout, source = next(iter(build.held_layouts(name).items()))
    build.add(Cast(dtype), [source], node, layout)


def read_mod(node: OnnxNode, build: Builder) -> None:
    """Mod with the sign of the dividend, or of the divisor."""
    op = Rest() if node.get_int("fmod", 0) == 1 else Mod()
    add_broadcast(op, node.inputs[:2], node, build)


# -- kernels ------------------------------------------------------------------------------

_WHAT: dict[type[Op], int] = {Rest: 6, Mod: 7, Pow: 8}  # of mplan_binary_s64.h


def _power(sig: Signature) -> tuple[Call, ...]:
    return (Call(loop_fields(sig) | act_fields(sig), inputs=(0, 1)),)


def _mod(sig: Signature) -> tuple[Call, ...]:
    floored: dict[str, Field] = {"floored": int(isinstance(sig.op, Mod))}
    return (Call(loop_fields(sig) | act_fields(sig) | floored, inputs=(0, 1)),)


def _whole(sig: Signature) -> tuple[Call, ...]:
    kind = integer_kind(sig.output.dtype)
    fields: dict[str, Field] = {"what": _WHAT[type(sig.op)], "in_kind": kind, "out_kind": kind}
    return (Call(loop_fields(sig) | fields, inputs=(0, 1)),)


def _whole_kernels() -> Iterator[Kernel]:
    for op in _WHAT:
        for types in _NUMBERS[1:]:
            yield Kernel(op, "mplan_binary_s64", _whole, types=types, work=broadcast_work)


OPS = (Mod, Pow, Rest)
KERNELS = (
    Kernel(Pow, "mplan_power_f32", _power, types=_NUMBERS[0], work=broadcast_work),
    Kernel(Mod, "mplan_mod_f32", _mod, types=_NUMBERS[0], work=broadcast_work),
    Kernel(Rest, "mplan_mod_f32", _mod, types=_NUMBERS[0], work=broadcast_work),
    *_whole_kernels(),
)
READERS = {"Mod": read_mod, "Pow": read_pow}
WRITERS = {
    Mod: partial(write_broadcast, onnx="Mod"),
    Pow: partial(write_broadcast, onnx="Pow"),
}
