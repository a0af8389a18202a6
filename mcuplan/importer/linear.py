# SPDX-License-Identifier: Apache-2.0
"""QuantizeLinear and DequantizeLinear of constants; scales and zero points as grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcuplan.errors import NonFiniteWeights, UnsupportedOp, UnsupportedType
from mcuplan.importer._numeric import FOUR_BITS, Folding, numpy_type
from mcuplan.importer.blocked import block_parameters, dequantize_blocks
from mcuplan.ir.builder import Constant
from mcuplan.ir.graph import Stored
from mcuplan.ir.types import Array, DType
from mcuplan.ops.quantize import grid

__all__ = ["dequantize_constant", "quantize_constant"]


def _parameters(folding: Folding) -> tuple[Array, Array | None, int | None]:
    """Scale, zero point, and the axis of per-channel ones."""
    scale, zero_point = folding.value(1), folding.optional(2)
    x = folding.value(0)
    if folding.node.get_int("block_size", 0) or scale.ndim > 1:
        raise UnsupportedOp(
            "blocked quantization", hint="quantize per tensor or per output channel"
        )
    if scale.size == 1:
        return scale, zero_point, None
    axis = folding.node.get_int("axis", 1)
    axis += x.ndim if axis < 0 else 0
    if not 0 <= axis < x.ndim or scale.size != x.shape[axis]:
        raise UnsupportedOp(
            f"{scale.size} scales on axis {axis} of shape {list(x.shape)}",
            hint="give one scale per tensor, or one per index of the axis",
        )
    return scale, zero_point, axis


def dequantize_constant(folding: Folding) -> Constant:
    """Real values, together with the integers and the grid they came from."""
    if folding.node.get_int("block_size", 0):
        return dequantize_blocks(folding)
    scale, zero_point, axis = _parameters(folding)
    x = folding.value(0)
    if x.dtype not in (np.int8, np.uint8, np.int16, np.uint16, np.int32):
        raise UnsupportedType(
            f"integers of type {x.dtype}", hint="quantize to int8 (biases to int32)"
        )
    if zero_point is None:
        zero_point = np.zeros(scale.shape, x.dtype)
    quant = grid(scale, zero_point, axis)
    shape = [-1 if a == axis else 1 for a in range(x.ndim)] if axis is not None else [1] * x.ndim
    folding.reserve(x.shape, np.dtype(np.float32))
    values = DType.of(x).recoded(x, quant.dtype)
    exact = np.dtype(np.int64 if x.dtype == np.int32 else np.float32)
    zeros: Array = np.array(quant.zero_point, exact).reshape(shape)
    real: Array = np.subtract(values.astype(exact), zeros).astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        real *= scale.reshape(shape)
    return Constant(real, Stored(values, quant))


def quantize_constant(folding: Folding) -> Constant:
    """Integers of real values: x / scale in float32, half to even, saturated."""
    x = folding.value(0)
    dtype, bits = _codes(folding)
    if dtype not in (np.int8, np.uint8, np.int16, np.uint16):
        raise UnsupportedType(f"quantization to {dtype}", hint="quantize to int8")
    if not np.all(np.isfinite(x)):
        raise NonFiniteWeights("a constant to be quantized holds NaN or infinity")
    scale, zeros = _spread(folding, dtype)
    folding.reserve(x.shape, np.dtype(np.float32))
    with np.errstate(over="ignore"):
        q = np.rint(x.astype(np.float32) / scale) + zeros
    low, high = (int(end) >> (8 - bits if bits else 0) for end in _ends(dtype))
    return Constant(np.clip(q, low, high).astype(dtype), bits=bits)


def _codes(folding: Folding) -> tuple[np.dtype[Any], int]:
    """The array type of the integers, and their bits where they are fewer than it has."""
    zero_point = folding.optional(2)
    if zero_point is not None:
        return zero_point.dtype, folding.bits_of(2)
    code = folding.node.get_int("output_dtype", 0) or DType.UINT8.onnx
    if code in FOUR_BITS:
        return np.dtype(FOUR_BITS[code]), 4
    return numpy_type(code), 0


def _ends(dtype: np.dtype[Any]) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return limits.min, limits.max


def _spread(folding: Folding, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Scale and zero point in float32, in shapes that broadcast to the values."""
    x = folding.value(0)
    if folding.node.get_int("block_size", 0):
        zeros, scale = block_parameters(folding, dtype)
        return scale.astype(np.float32), zeros.astype(np.float32)
    scale, zero_point, axis = _parameters(folding)
    grid(scale, np.zeros(scale.shape, dtype) if zero_point is None else zero_point, axis)
    shape = [-1 if a == axis else 1 for a in range(x.ndim)] if axis is not None else [1] * x.ndim
    zeros = np.zeros(1, np.float32) if zero_point is None else zero_point.astype(np.float32)
    zeros = zeros.reshape(shape) if zeros.size > 1 else zeros.reshape(())
    return scale.astype(np.float32).reshape(shape), zeros
