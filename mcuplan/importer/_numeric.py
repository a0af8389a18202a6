# SPDX-License-Identifier: Apache-2.0
"""ONNX arithmetic on constants, in numpy: element by element, and reductions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedType
from mcuplan.importer.protofile import Allowance, type_name
from mcuplan.ir.builder import OnnxNode
from mcuplan.ir.types import Array

__all__ = ["FOUR_BITS", "NUMERIC", "Folding", "numpy_type"]

_NUMPY_TYPES: dict[int, Any] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    13: np.uint64,
}
FOUR_BITS: dict[int, Any] = {21: np.uint8, 22: np.int8}
"""Types of arrays that hold integers of 4 bits, by ONNX element type."""


def numpy_type(data_type: int) -> np.dtype[Any]:
    """The numpy type for an ONNX element type.

    Raises:
        UnsupportedType: numpy has none.
    """
    if data_type not in _NUMPY_TYPES:
        raise UnsupportedType(
            f"element type {type_name(data_type)}", hint="export with float32 or int8 tensors"
        )
    found: np.dtype[Any] = np.dtype(_NUMPY_TYPES[data_type])
    return found


@dataclass(frozen=True, slots=True)
class Folding:
    """A node, the values of its inputs (None where absent), and the memory it may take.

    ``bits``: of the integers of each input, where fewer than its array's type has.
    """

    node: OnnxNode
    inputs: tuple[Array | None, ...]
    allowance: Allowance
    bits: tuple[int, ...] = ()

    def value(self, index: int) -> Array:
        """An input that must be there."""
        found = self.optional(index)
        if found is None:
            raise DamagedModel(f"input {index} is missing", hint="export again")
        return found

    def optional(self, index: int) -> Array | None:
        """An input, or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def ints(self, index: int) -> tuple[int, ...]:
        """An input as a list of integers."""
        return tuple(int(v) for v in self.value(index).reshape(-1))

    def ints_or_attribute(self, index: int, key: str) -> tuple[int, ...] | None:
        """Integers that newer opsets give as an input and older ones as an attribute."""
        if self.optional(index) is not None:
            return self.ints(index)
        return self.node.get_ints(key, ()) if key in self.node.attributes else None

    def bits_of(self, index: int) -> int:
        """Bits of the integers of an input, where fewer than its array's type has; else 0."""
        return self.bits[index] if index < len(self.bits) else 0

    def reserve(self, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        """Take the memory of a result before it is computed."""
        if any(n < 0 for n in shape):
            raise DamagedModel(f"a result of shape {list(shape)}")
        self.allowance.take(math.prod(shape), dtype.itemsize, "a computed constant")


def _elementwise(folding: Folding, function: Callable[..., Array]) -> Array:
    values = [folding.value(i) for i in range(len(folding.inputs))]
    shape = np.broadcast_shapes(*(v.shape for v in values))
    folding.reserve(shape, np.result_type(*values))
    with np.errstate(all="ignore"):
        result = function(*values)
    return np.asarray(result)


def _same_type(function: Callable[..., Any]) -> Callable[[Folding], Array]:
    """An operator whose result has the type of its first input."""

    def compute(folding: Folding) -> Array:
        return _elementwise(folding, function).astype(folding.value(0).dtype, copy=False)

    return compute


def _logical(function: Callable[..., Any]) -> Callable[[Folding], Array]:
    return lambda folding: _elementwise(folding, function).astype(np.bool_, copy=False)


def _divide(a: Array, b: Array) -> Array:
    """Division; integers truncate towards zero."""
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if not np.all(b):
        raise DamagedModel("an integer is divided by zero")
    signs = np.sign(a) * np.sign(b)
    return np.asarray(signs * (np.abs(a) // np.abs(b)))


def _modulo(folding: Folding) -> Array:
    a, b = folding.value(0), folding.value(1)
    if a.dtype.kind != "f" and not np.all(b):
        raise DamagedModel("an integer is divided by zero")
    function = np.fmod if folding.node.get_int("fmod", 0) else np.mod
    return _elementwise(folding, function).astype(a.dtype, copy=False)


def _fold_left(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def compute(*values: Array) -> Array:
        result = values[0]
        for value in values[1:]:
            result = function(result, value)
        return result

    return compute


def _clip(folding: Folding) -> Array:
    x = folding.value(0)
    low, high = folding.optional(1), folding.optional(2)
    attributes = folding.node.attributes
    if low is None and "min" in attributes:
        low = np.asarray(folding.node.get_float("min", 0.0), x.dtype)
    if high is None and "max" in attributes:
        high = np.asarray(folding.node.get_float("max", 0.0), x.dtype)
    folding.reserve(x.shape, x.dtype)
    x = x if low is None else np.maximum(x, low.reshape(()))
    return x if high is None else np.minimum(x, high.reshape(()))


def _where(folding: Folding) -> Array:
    def choose(condition: Array, a: Array, b: Array) -> Array:
        return np.asarray(np.where(condition.astype(bool), a, b))

    return _elementwise(folding, choose).astype(folding.value(1).dtype, copy=False)


def _cast(folding: Folding) -> Array:
    if folding.node.op_type == "CastLike":
        dtype = folding.value(1).dtype
    else:
        dtype = numpy_type(folding.node.get_int("to", 1))
    x = folding.value(0)
    folding.reserve(x.shape, dtype)
    with np.errstate(all="ignore"):
        return x.astype(dtype)


def _range(folding: Folding) -> Array:
    start, limit, delta = (folding.value(i).reshape(()) for i in range(3))
    if not delta or not all(np.isfinite(v) for v in (start, limit, delta)):
        raise DamagedModel(f"a range from {start} to {limit} in steps of {delta}")
    count = max(0, math.ceil((limit.item() - start.item()) / delta.item()))
    folding.reserve((count,), start.dtype)
    steps = np.arange(count, dtype=np.float64 if start.dtype.kind == "f" else np.int64)
    return np.asarray(start + steps * delta).astype(start.dtype)


def _reduce(function: Callable[..., Any]) -> Callable[[Folding], Array]:
    def compute(folding: Folding) -> Array:
        x = folding.value(0)
        axes = folding.ints_or_attribute(1, "axes")
        if not axes and folding.node.get_int("noop_with_empty_axes", 0):
            return x
        keep = folding.node.get_int("keepdims", 1) == 1  # as ONNX and its runtimes read it
        result = function(x, axis=tuple(axes) if axes else None, keepdims=keep)
        return np.asarray(result).astype(x.dtype, copy=False)

    return compute


def _norm2(x: Array, **options: Any) -> Array:
    return np.asarray(np.sqrt(np.sum(np.square(x), **options)))


def _sum_square(x: Array, **options: Any) -> Array:
    return np.asarray(np.sum(np.square(x), **options))


def _norm1(x: Array, **options: Any) -> Array:
    return np.asarray(np.sum(np.abs(x), **options))


def _log_sum(x: Array, **options: Any) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.sum(x, **options)))


def _log_sum_exp(x: Array, **options: Any) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.sum(np.exp(x), **options)))


def _largest(x: Array, **options: Any) -> Array:
    return np.asarray(np.max(x, initial=_end(x.dtype, -np.inf), **options))


def _smallest(x: Array, **options: Any) -> Array:
    return np.asarray(np.min(x, initial=_end(x.dtype, np.inf), **options))


def _end(dtype: np.dtype[Any], real: float) -> float | int:
    """What is left of no elements: the end of a type."""
    if dtype.kind in "fb":
        return real if dtype.kind == "f" else int(real > 0)
    return np.iinfo(dtype).max if real > 0 else np.iinfo(dtype).min


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


NUMERIC: Mapping[str, Callable[[Folding], Array]] = {
    "Abs": _same_type(np.abs),
    "Add": _same_type(np.add),
    "And": _logical(np.logical_and),
    "Cast": _cast,
    "CastLike": _cast,
    "Ceil": _same_type(np.ceil),
    "Clip": _clip,
    "Cos": _same_type(np.cos),
    "Div": _same_type(_divide),
    "Equal": _logical(np.equal),
    "Exp": _same_type(np.exp),
    "Floor": _same_type(np.floor),
    "Greater": _logical(np.greater),
    "GreaterOrEqual": _logical(np.greater_equal),
    "Less": _logical(np.less),
    "LessOrEqual": _logical(np.less_equal),
    "Log": _same_type(np.log),
    "Max": _same_type(_fold_left(np.maximum)),
    "Min": _same_type(_fold_left(np.minimum)),
    "Mod": _modulo,
    "Mul": _same_type(np.multiply),
    "Neg": _same_type(np.negative),
    "Not": _logical(np.logical_not),
    "Or": _logical(np.logical_or),
    "Pow": _same_type(np.power),
    "Range": _range,
    "Reciprocal": _same_type(lambda x: 1 / x),
    "ReduceL1": _reduce(_norm1),
    "ReduceL2": _reduce(_norm2),
    "ReduceLogSum": _reduce(_log_sum),
    "ReduceLogSumExp": _reduce(_log_sum_exp),
    "ReduceMax": _reduce(_largest),
    "ReduceMean": _reduce(np.mean),
    "ReduceMin": _reduce(_smallest),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceSumSquare": _reduce(_sum_square),
    "Relu": _same_type(lambda x: np.maximum(x, 0)),
    "Round": _same_type(np.rint),
    "Sigmoid": _same_type(_sigmoid),
    "Sin": _same_type(np.sin),
    "Sqrt": _same_type(np.sqrt),
    "Sub": _same_type(np.subtract),
    "Sum": _same_type(_fold_left(np.add)),
    "Tanh": _same_type(np.tanh),
    "Where": _where,
    "Xor": _logical(np.logical_xor),
}
