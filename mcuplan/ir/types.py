# SPDX-License-Identifier: Apache-2.0
"""Element types, quantization parameters and tensor types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from mcuplan.errors import UnsupportedType
from mcuplan.ir.geometry import row_axis

__all__ = ["WHOLE", "Array", "DType", "Quant", "TensorType", "Types"]

Array = npt.NDArray[Any]


class DType(StrEnum):
    """Element type of a tensor: name, sort (signed, unsigned, floating) and bits.

    ``int4`` lies two to a byte, the even index in the low half; arrays hold it in int8. Of
    ``int4_blocks`` a kernel has those of 4 bits and factors (`ir.block_factors`), arrays products.
    """

    sort: Literal["s", "u", "f"]
    bits: int

    FLOAT32 = ("float32", "f", 32)
    INT4 = ("int4", "s", 4)
    INT4_BLOCKS = ("int4_blocks", "s", 8)
    INT8 = ("int8", "s", 8)
    UINT8 = ("uint8", "u", 8)
    INT16 = ("int16", "s", 16)
    UINT16 = ("uint16", "u", 16)
    INT32 = ("int32", "s", 32)
    UINT32 = ("uint32", "u", 32)
    INT64 = ("int64", "s", 64)
    BOOL = ("bool", "u", 8)
    FLOAT16 = ("float16", "f", 16)
    FLOAT64 = ("float64", "f", 64)

    def __new__(cls, name: str, sort: Literal["s", "u", "f"], bits: int) -> Self:
        """A member whose value is its name."""
        member = str.__new__(cls, name)
        member._value_, member.sort, member.bits = name, sort, bits
        return member

    @property
    def is_float(self) -> bool:
        """Whether values are real ones and not integers."""
        return self.sort == "f"

    @property
    def low(self) -> int:
        """Least integer."""
        assert not self.is_float
        return -(1 << (self.bits - 1)) if self.sort == "s" else 0

    @property
    def high(self) -> int:
        """Largest integer."""
        return self.low + self.steps

    @property
    def steps(self) -> int:
        """How far the ends of the integers are apart."""
        return (1 << self.bits) - 1

    @property
    def reach(self) -> int:
        """Largest magnitude of an integer."""
        return max(-self.low, self.high)

    @property
    def codes(self) -> Array:
        """Every integer from the least to the largest: [2**bits], int64."""
        return np.arange(self.low, self.high + 1, dtype=np.int64)

    @property
    def suffix(self) -> str:
        """The type in names of kernels."""
        return f"{self.sort}{self.bits}"

    @property
    def c_type(self) -> str:
        """The type in C, of two values where they are packed."""
        return _C_NAMES.get(self.value, f"{self.value}_t")

    @property
    def numpy(self) -> np.dtype[Any]:
        """Type of arrays that hold values."""
        return np.dtype("int8" if self in (DType.INT4, DType.INT4_BLOCKS) else self.value)

    @classmethod
    def named(cls, name: str) -> DType:
        """The type of a name."""
        return next(dtype for dtype in cls if dtype.value == name)

    @classmethod
    def of_onnx(cls, code: int) -> DType | None:
        """The type of a TensorProto.DataType; None where there is none of ours."""
        return _ONNX.get(code)

    @property
    def onnx(self) -> int:
        """The type as TensorProto.DataType numbers it."""
        return next(code for code, dtype in _ONNX.items() if dtype is self)

    @classmethod
    def of(cls, values: Array) -> DType:
        """The type of an array's elements.

        Raises:
            UnsupportedType: none of ours holds them.
        """
        if values.dtype.name not in tuple(cls):
            raise UnsupportedType(f"a tensor of {values.dtype}", hint="cast it to int64 or float32")
        return cls.named(values.dtype.name)

    def nbytes(self, elements: int = 1) -> int:
        """Bytes of so many values as they lie in memory."""
        return (elements * self.bits + 7) // 8

    def clip(self, values: Array) -> Array:
        """Whole numbers of any type in this one, those beyond its ends at them."""
        limited: Array = np.clip(values, self.low, self.high).astype(self.numpy)
        return limited

    def holds(self, values: Array) -> bool:
        """Whether no number of an array is beyond the ends."""
        return bool(values.size == 0 or (values.min() >= self.low and values.max() <= self.high))

    def packed(self, values: Array) -> Array:
        """Values as elements of the C type, flat; an odd last one is followed by 0."""
        flat: Array = values.reshape(-1)
        if self is not DType.INT4:
            return flat
        halves = np.pad(flat, (0, len(flat) % 2)).astype(np.uint8) & 15
        both: Array = halves[0::2] | halves[1::2] << 4
        return both

    def unpacked(self, both: Array, shape: tuple[int, ...]) -> Array:
        """The values of :meth:`packed`."""
        flat = both
        if self is DType.INT4:
            halves = np.stack([both & 15, both >> 4], axis=1).reshape(-1).astype(np.int8)
            flat = ((halves ^ 8) - 8)[: math.prod(shape)]
        values: Array = flat.reshape(shape)
        return values

    def recoded(self, codes: Array, target: DType) -> Array:
        """Integers as those of a type of equal bits: the low end becomes its low end."""
        if self.low == target.low:
            return codes
        plain = f"u{self.bits // 8}"
        moved: Array = codes.astype(self.numpy).view(plain) ^ np.array(1 << self.bits - 1, plain)
        return moved.view(target.numpy)


_ONNX = {
    **{1: DType.FLOAT32, 2: DType.UINT8, 3: DType.INT8, 4: DType.UINT16, 5: DType.INT16},
    **{6: DType.INT32, 7: DType.INT64, 9: DType.BOOL, 10: DType.FLOAT16, 11: DType.FLOAT64},
    12: DType.UINT32,
}
_C_NAMES = {
    "float32": "float",
    "float64": "double",
    "int4": "uint8_t",
    "bool": "uint8_t",
    "int4_blocks": "int8_t",
}


@dataclass(frozen=True, slots=True)
class Types:
    """Element types of the activations, the weights and bias, and the results of a node.

    The last of ``inputs`` holds for all that follow; ``weights`` matter where there are some.
    ``grids``: whether integers of 8 bits among activations lie on a grid (True), or on none.
    """

    inputs: tuple[DType, ...] = (DType.INT8,)
    outputs: tuple[DType, ...] = (DType.INT8,)
    weights: tuple[DType, ...] = (DType.INT8, DType.INT32)
    grids: frozenset[bool] = frozenset({True})

    @classmethod
    def all(cls, dtype: DType, grids: frozenset[bool] = frozenset({True})) -> Types:
        """One type for everything."""
        return cls((dtype,), (dtype,), (dtype, dtype), grids)

    @classmethod
    def whole(cls, inputs: Sequence[DType], outputs: Sequence[DType]) -> Types:
        """Types of activations of which none lies on a grid."""
        return cls(tuple(inputs), tuple(outputs), grids=frozenset({False}))

    @classmethod
    def of(
        cls,
        inputs: Sequence[TensorType],
        outputs: Sequence[TensorType],
        weights: Sequence[int] = (),
    ) -> Types:
        """Types of the tensors of a node; ``weights`` are indices of inputs."""
        read = [kind for i, kind in enumerate(inputs) if i not in weights]
        codes = [k for k in (*read, *outputs) if k.dtype in (DType.INT8, DType.UINT8)]
        return cls(
            tuple(kind.dtype for kind in read),
            tuple(kind.dtype for kind in outputs),
            tuple(inputs[i].dtype for i in weights),
            frozenset(kind.quant is not None for kind in codes),
        )

    @property
    def computed_in(self) -> DType:
        """The narrower type of what is read and what is made, for tables that name one."""
        return min((*self.inputs, *self.outputs), key=lambda dtype: (dtype.bits, dtype.sort))

    @property
    def name(self) -> str:
        """As tables have it: what is computed in, and weights that are narrower."""
        narrow = [w for w in self.weights if w in (DType.INT4, DType.INT4_BLOCKS)]
        return " by ".join((self.computed_in, *narrow))

    def admit(self, actual: Types) -> bool:
        """Whether a node of other types (each input's own) is one of these."""
        count = len(actual.inputs)
        inputs = (self.inputs + self.inputs[-1:] * count)[:count]
        same = (inputs, self.outputs) == (actual.inputs, actual.outputs)
        same = same and actual.grids <= self.grids
        return same and self.weights[: len(actual.weights)] == actual.weights


WHOLE = (DType.INT8, DType.UINT8, DType.BOOL, DType.INT32, DType.INT64)
"""Types of tensors of integers and truth values on no grid."""


@dataclass(frozen=True, slots=True)
class Quant:
    """``real = scale * (q - zero_point)`` for q stored as ``dtype``.

    One entry for the whole tensor (``axis`` is None), for each index of ``axis``, or for each
    ``block`` values along it: entries then lie as the tensor does, that axis divided. On a
    float32 tensor it says that the values lie on this grid: they are rounded when computed.
    ``factored``: how many integers of int4_blocks along the last axis share a factor.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None
    dtype: DType = DType.INT8
    block: int | None = None
    factored: int | None = None

    @classmethod
    def per_tensor(cls, scale: float, zero_point: int, dtype: DType = DType.INT8) -> Quant:
        """One scale and zero point for the whole tensor."""
        return cls((float(scale),), (int(zero_point),), None, dtype)

    @property
    def s(self) -> float:
        """The scale of a per-tensor quantization."""
        assert self.axis is None
        return self.scale[0]

    @property
    def z(self) -> int:
        """The zero point of a per-tensor quantization."""
        assert self.axis is None
        return self.zero_point[0]

    @property
    def ends(self) -> tuple[float, float]:
        """Least and largest real value of a per-tensor grid."""
        return (self.dtype.low - self.z) * self.s, (self.dtype.high - self.z) * self.s

    def stored_as(self, dtype: DType) -> Quant:
        """The same grid with its integers in a type of equal bits: its low end moves along."""
        shift = dtype.low - self.dtype.low
        return replace(self, zero_point=tuple(z + shift for z in self.zero_point), dtype=dtype)

    def dequantize(self, q: Array) -> Array:
        """Real values (float64) of integers."""
        scale, zero_point = self._spread(q.shape)
        real: Array = (q.astype(np.float64) - zero_point) * scale
        return real

    def holds(self, value: float) -> bool:
        """Whether a real value lies on a step of a per-tensor grid, to float32."""
        step = int(self.quantize(np.asarray([value]))[0]) - self.z
        return bool(np.float32(step) * np.float32(self.s) == np.float32(value))

    def keeps(self, limit: float) -> bool:
        """Whether clamping values of a per-tensor grid at a limit gives values of the grid."""
        low, high = self.ends
        return not low < limit < high or self.holds(limit)

    def covers(self, value: float) -> bool:
        """Whether a real value is rounded and not cut by a per-tensor grid."""
        low, high = self.ends
        return low - self.s / 2 <= value <= high + self.s / 2

    def quantize(self, real: Array) -> Array:
        """Nearest integers of real values, half to even as ONNX does; float32 division."""
        assert self.dtype.bits <= 16, "float32 has no larger integers"
        scale, zero_point = self._spread(np.shape(real))
        with np.errstate(over="ignore"):  # infinity is clipped like any large value
            q = np.rint(np.asarray(real, np.float32) / scale.astype(np.float32))
            q = q + zero_point.astype(np.float32)
        return self.dtype.clip(np.where(np.isnan(q), zero_point, q))

    def _spread(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Scale (float64) and zero point of each element, as far as they differ."""
        entries = np.array(self.scale), np.array(self.zero_point)
        if self.axis is None:
            return entries[0][0], entries[1][0]
        if self.block is None:
            plain = [-1 if a == self.axis else 1 for a in range(len(shape))]
            return entries[0].reshape(plain), entries[1].reshape(plain)
        size = shape[self.axis]
        divided = (*shape[: self.axis], -(-size // self.block), *shape[self.axis + 1 :])
        each = [np.repeat(e.reshape(divided), self.block, self.axis) for e in entries]
        kept = np.arange(size)
        return each[0].take(kept, self.axis), each[1].take(kept, self.axis)


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape, element type and quantization of a tensor. Batch is axis 0 and is 1."""

    shape: tuple[int, ...]
    dtype: DType = DType.FLOAT32
    quant: Quant | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor as it lies in memory."""
        return self.dtype.nbytes(self.elements)

    @property
    def rows(self) -> int:
        """Rows that kernels address one by one: indices of `geometry.row_axis`, or one."""
        axis = row_axis(self.shape)
        return 1 if axis is None else self.shape[axis]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.nbytes // max(1, self.rows)

    @property
    def channels(self) -> int:
        """Size of the last axis."""
        return self.shape[-1] if self.shape else 1

    def stored_in(self, dtype: DType) -> TensorType:
        """The type where real values are stored in another one, integers on some grid."""
        if self.dtype is not DType.FLOAT32 or dtype.is_float:
            return self
        return replace(self, dtype=dtype, quant=Quant.per_tensor(1.0, 0, dtype))

    @property
    def step(self) -> float:
        """Least distance of values that are told apart: of 1 and what follows in float32."""
        if self.quant is None and not self.dtype.is_float:
            return 1.0
        return 2.0**-23 if self.quant is None else self.quant.s

    def stored(self, real: Array) -> Array:
        """Real values as elements: on the grid, where there is one."""
        return real.astype(self.dtype.numpy) if self.quant is None else self.quant.quantize(real)

    def real(self, values: Array) -> Array:
        """Real values (float64) of elements."""
        return values.astype(np.float64) if self.quant is None else self.quant.dequantize(values)

    @property
    def q(self) -> Quant:
        """The quantization; only for tensors that have one."""
        assert self.quant is not None
        return self.quant
