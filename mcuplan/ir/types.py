# SPDX-License-Identifier: Apache-2.0
"""Element types, quantization parameters and tensor types."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "DType", "Quant", "TensorType"]

Array = npt.NDArray[Any]


class DType(StrEnum):
    """Element type of a tensor; the value is numpy's name for it."""

    FLOAT32 = "float32"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    BOOL = "bool"
    FLOAT16 = "float16"
    FLOAT64 = "float64"

    @property
    def nbytes(self) -> int:
        """Bytes per element."""
        return int(np.dtype(self.value).itemsize)


@dataclass(frozen=True, slots=True)
class Quant:
    """``real = scale * (q - zero_point)``; q is int8 (int32 for a bias).

    One entry per tensor (``axis is None``) or one per index of ``axis``. On a float32
    tensor it says that the values lie on this grid: they are rounded to it when computed.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    @classmethod
    def per_tensor(cls, scale: float, zero_point: int) -> Quant:
        """One scale and zero point for the whole tensor."""
        return cls((float(scale),), (int(zero_point),))

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

    def dequantize(self, q: Array) -> Array:
        """Real values (float64) of per-tensor quantized integers."""
        real: Array = (q.astype(np.float64) - self.z) * self.s
        return real

    def holds(self, value: float) -> bool:
        """Whether a real value lies on a step of a per-tensor grid, to float32."""
        step = int(self.quantize(np.asarray([value]))[0]) - self.z
        return bool(np.float32(step) * np.float32(self.s) == np.float32(value))

    def covers(self, value: float) -> bool:
        """Whether a real value is rounded and not cut by a per-tensor grid."""
        low, high = ((end - self.z) * self.s for end in (-128, 127))
        return low - self.s / 2 <= value <= high + self.s / 2

    def quantize(self, real: Array) -> Array:
        """Nearest int8 of real values, half to even as ONNX does; float32 division."""
        with np.errstate(over="ignore"):  # infinity is clipped like any large value
            q = np.rint(np.asarray(real, np.float32) / np.float32(self.s)) + self.z
        clipped: Array = np.clip(np.nan_to_num(q, nan=self.z), -128, 127).astype(np.int8)
        return clipped


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
        return self.elements * self.dtype.nbytes

    @property
    def has_rows(self) -> bool:
        """Whether axis 1 is one of rows."""
        return len(self.shape) > 2 and self.shape[0] == 1

    @property
    def rows(self) -> int:
        """Rows that kernels address one by one: axis 1 (H) of tensors of rank 3 and more.

        A tensor whose axis 0 is no batch of 1 is one row.
        """
        return self.shape[1] if self.has_rows else 1

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.nbytes // max(1, self.rows)

    @property
    def channels(self) -> int:
        """Size of the last axis."""
        return self.shape[-1] if self.shape else 1

    @property
    def q(self) -> Quant:
        """The quantization; only for tensors that have one."""
        assert self.quant is not None
        return self.quant
