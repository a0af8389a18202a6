# SPDX-License-Identifier: Apache-2.0
"""What kernels of several families and backends share: weighted layers, matrices, pairs."""

from __future__ import annotations

import math

import numpy as np

from mcuplan.ir.block_factors import block_factors, factors_of_all
from mcuplan.ir.op import Blocks, ConstArray, Field, Signature
from mcuplan.ir.types import Array, DType, Types
from mcuplan.quant.requantize import Requant, act_limits, requantize, weighted_requant

__all__ = [
    "BLOCK_TYPES",
    "FINE_TYPES",
    "FLOAT_TYPES",
    "INT16_TYPES",
    "NARROW_BY_INT16",
    "NARROW_TYPES",
    "WEIGHTED_TYPES",
    "WIDE_TYPES",
    "block_of",
    "byte_blocks",
    "clamp_fields",
    "finish",
    "float_clamped",
    "float_fields",
    "float_limits",
    "has_many_pixels",
    "narrow_parts",
    "pixel_fields",
    "pixels_of",
    "prepared",
    "requant_fields",
    "same_shapes",
    "taps_per_output",
]

WIDE_TYPES = Types(weights=(DType.INT16, DType.INT32))
"""Of weights that need more than 8 bits less their zero point."""

NARROW_TYPES = Types(weights=(DType.INT4, DType.INT32))

BLOCK_TYPES = Types(weights=(DType.INT4_BLOCKS, DType.INT32))
"""Of weights of 4 bits on scales of blocks."""

FLOAT_TYPES = Types.all(DType.FLOAT32)

INT16_TYPES = Types((DType.INT16,), (DType.INT16,))
"""Of activations of 16 bits, and weights of 8."""

NARROW_BY_INT16 = Types((DType.INT16,), (DType.INT16,), (DType.INT4, DType.INT32))
"""Of activations of 16 bits, and weights of 4."""

FINE_TYPES = Types((DType.INT16,), (DType.INT16,), (DType.INT16, DType.INT32))
"""Of activations and weights of 16 bits."""

WEIGHTED_TYPES = (
    Types(),
    NARROW_TYPES,
    BLOCK_TYPES,
    WIDE_TYPES,
    FLOAT_TYPES,
    INT16_TYPES,
    NARROW_BY_INT16,
    FINE_TYPES,
)

FLOAT_END = float(np.finfo(np.float32).max)
"""Limit of results in float32 where nothing else limits them: a sum beyond it ends there."""


def prepared(sig: Signature) -> Requant:
    """Folded bias and factors of a node with inputs (activation, weights, bias)."""
    return sig.once(_prepared)


def _prepared(sig: Signature) -> Requant:
    return weighted_requant(
        sig.constant(1), sig.constant(2), sig.inputs[0], sig.inputs[1], sig.output
    )


def finish(sig: Signature, accumulator: Array) -> Array:
    """Add the folded bias to exact sums (channels last) and requantize."""
    requant = prepared(sig)
    return requantize(
        accumulator.astype(np.int64) + requant.bias,
        requant.multiplier,
        requant.pre_shift,
        sig.output.q.z,
        act_limits(sig.output.q, sig.op.act),
        sig.output.dtype,
    )


def float_clamped(sums: Array, act: tuple[float, float]) -> Array:
    """float32 sums as ``mplan_clamp_f32`` limits them."""
    low, high = (np.float32(min(max(end, -FLOAT_END), FLOAT_END)) for end in act)
    above = np.where(sums < low, low, sums)
    limited: Array = np.where(above > high, high, above)
    return limited


def float_fields(sig: Signature) -> dict[str, Field]:
    """Members of the params struct that every weighted float32 kernel has."""
    return {
        "weights": ConstArray(DType.FLOAT32, sig.constant(1)),
        "bias": ConstArray(DType.FLOAT32, sig.constant(2)),
        **float_limits(sig.op.act),
    }


def float_limits(act: tuple[float, float]) -> dict[str, Field]:
    """Limits of results in float32."""
    low, high = (min(max(end, -FLOAT_END), FLOAT_END) for end in act)
    return {"act_min": low, "act_max": high}


def requant_fields(sig: Signature) -> dict[str, Field]:
    """Members of the params struct that every weighted kernel has."""
    requant = prepared(sig)
    shifts = requant.pre_shift
    return {
        "bias": ConstArray(DType.INT32, requant.bias),
        "multiplier": ConstArray(DType.INT32, requant.multiplier, "tables"),
        "pre_shift": ConstArray(DType.UINT8, shifts, "tables") if shifts.any() else None,
        **clamp_fields(sig),
    }


def byte_blocks(sig: Signature) -> Blocks:
    """Of weights that are bytes and nothing else, up to a word."""
    return Blocks(0, -(-sig.constant(1).size // 4))


def block_of(sig: Signature) -> int | None:
    """Inputs whose weights share a factor; None on scales of channels."""
    return sig.inputs[1].q.factored if sig.inputs[1].dtype is DType.INT4_BLOCKS else None


def narrow_parts(sig: Signature) -> tuple[Array, Array | None]:
    """Weights in 4 bits [out_c, taps], and factors of their blocks [out_c, blocks], if any."""
    weights, block = sig.constant(1), block_of(sig)
    if block is None:
        return weights.reshape(len(weights), -1), None
    factors, each = block_factors(weights, block), factors_of_all(weights, block)
    assert factors is not None, "what int4_blocks are"
    assert each is not None, "what int4_blocks are"
    narrow = weights // each.astype(np.int8)
    return narrow.reshape(len(weights), -1), factors.reshape(len(weights), -1)


def clamp_fields(sig: Signature) -> dict[str, Field]:
    """Zero point and limits of the output."""
    act_min, act_max = act_limits(sig.output.q, sig.op.act)
    return {"out_zero_point": sig.output.q.z, "act_min": act_min, "act_max": act_max}


def taps_per_output(sig: Signature) -> int:
    """Weights of one output channel."""
    return math.prod(sig.inputs[1].shape[1:])


def pixels_of(sig: Signature) -> tuple[int, int]:
    """Rows of the input, and pixels of one row."""
    rows = sig.inputs[0].rows
    return rows, sig.inputs[0].elements // max(1, rows * sig.inputs[0].channels)


def has_many_pixels(sig: Signature) -> bool:
    """Whether a matrix is applied to several pixels, of sizes that 1x1 convolutions take."""
    rows, pixels = pixels_of(sig)
    sizes = (rows, pixels, sig.inputs[0].channels, sig.output.channels)
    return rows * pixels > 1 and max(sizes) < 1 << 16


def pixel_fields(sig: Signature) -> dict[str, Field]:
    """Members of a 1x1 convolution that applies a matrix to each of many pixels."""
    rows, pixels = pixels_of(sig)
    ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w")
    fields: dict[str, Field] = dict.fromkeys(ones, 1)
    fields |= {"in_h": rows, "in_w": pixels, "in_c": sig.inputs[0].channels}
    return fields | {"out_w": pixels, "out_c": sig.output.channels}


def same_shapes(sig: Signature) -> bool:
    """Whether all operands are activations of the output's shape."""
    shapes = {kind.shape for kind in (*sig.inputs, sig.output)}
    return len(shapes) == 1 and all(value is None for value in sig.constants)
