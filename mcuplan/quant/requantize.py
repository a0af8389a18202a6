# SPDX-License-Identifier: Apache-2.0
"""Integer requantization: accumulator to int8 or int16, bit for bit as the C kernels.

``q = clamp(zero_point + (((acc * 2**pre_shift) * multiplier + 2**31) >> 32))``
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcuplan.errors import AccumulatorOverflow, ScaleError
from mcuplan.ir.types import Array, DType, Quant, TensorType

__all__ = [
    "RESULT_LIMIT",
    "Requant",
    "accumulator_limit",
    "act_limits",
    "requantize",
    "requantize_factors",
    "sums_by_sign",
    "weighted_requant",
]

_TOGETHER = 1 << 20  # weights whose sums are made at once

RESULT_LIMIT = 2.0**30  # acc * real stays below, so that adding the zero point cannot overflow


def accumulator_limit(source: DType) -> int:
    """What the sums of a weighted layer stay below: 32 bits hold those of inputs of 8 bits.

    Of int16 the kernels sum runs in 32 bits, and the runs in 64.
    """
    return 1 << (31 if source.bits <= 8 else 46)


def requantize_factors(real: float, accumulator_max: int) -> tuple[int, int]:
    """Split a positive real factor into an int32 multiplier and a left shift.

    ``accumulator * real ~= ((accumulator << pre_shift) * multiplier) / 2**32``.

    Args:
        real: ``scale_in * scale_weight / scale_out``, finite and > 0.
        accumulator_max: proved bound of ``abs(accumulator)``.

    Returns:
        ``multiplier`` in [0, 2**31) and the smallest ``pre_shift`` >= 0 (bits) that
        allows it. The multiplier is 0 only where every result rounds to 0.

    Raises:
        ScaleError: ``real`` is not positive and finite, or too large or too small for
            the proved accumulator.

    Source: Jacob et al. 2018, section 2.2; rounding: half up.
    """
    if not (math.isfinite(real) and real > 0):
        raise ScaleError(f"factor {real!r} is not positive", hint="check the tensor's scales")
    if accumulator_max * real >= RESULT_LIMIT:
        raise ScaleError(
            f"factor {real:.3g} is too large for an accumulator of {accumulator_max:,}",
            hint="the output scale is far too small for its layer; calibrate again, or compute "
            "the layer in float32 (--layer-dtype NAME=float32)",
        )
    pre_shift = 0
    multiplier = math.floor(real * 2.0**32 + 0.5)
    while multiplier >= 2**31:
        pre_shift += 1
        multiplier = math.floor(real * 2.0 ** (32 - pre_shift) + 0.5)
    if multiplier == 0 and accumulator_max * real >= 0.5:
        raise ScaleError(
            f"factor {real:.3g} is too small to be held in 32 bits",
            hint="the output scale is far too large for its layer; calibrate again",
        )
    return multiplier, pre_shift


def requantize(
    accumulator: Array,
    multiplier: Array | int,
    pre_shift: Array | int,
    zero_point: int,
    limits: tuple[int, int] = (DType.INT8.low, DType.INT8.high),
    dtype: DType = DType.INT8,
) -> Array:
    """Accumulators (any integer or exact float array) to a type; channels on the last axis."""
    wide = accumulator.astype(np.int64) << np.asarray(pre_shift, np.int64)
    scaled = (wide * np.asarray(multiplier, np.int64) + 2**31) >> 32
    result: Array = np.clip(scaled + zero_point, *limits).astype(dtype.numpy)
    return result


@lru_cache(maxsize=1024)
def act_limits(quant: Quant, act: tuple[float, float]) -> tuple[int, int]:
    """``act_min`` and ``act_max``: real clamp limits on the grid of the output."""

    def on_grid(real: float, saturated: int) -> int:
        if not math.isfinite(real):
            return saturated
        return int(quant.quantize(np.asarray([real]))[0])

    return on_grid(act[0], quant.dtype.low), on_grid(act[1], quant.dtype.high)


@dataclass(frozen=True, slots=True)
class Requant:
    """Constants of a weighted layer: zero point folded into the bias, factors per channel."""

    bias: Array  # int32 [channels]
    multiplier: Array  # int32 [channels]
    pre_shift: Array  # uint8 [channels]
    accumulator_max: Array  # proved bound of abs(accumulator), int64 [channels]

    @property
    def fits_one_shift(self) -> bool:
        """Whether every accumulator stays in int32 when shifted for requantization."""
        reach = self.accumulator_max * 2.0 ** self.pre_shift.astype(np.float64)
        return bool((reach < 2.0**31).all())


def sums_by_sign(weights: Array) -> tuple[Array, Array]:
    """Sums of the positive and of the negative integers of each output channel, on axis 0."""
    flat = weights.reshape(len(weights), -1)
    up, down = np.zeros((2, len(flat)), np.int64)
    count = max(1, _TOGETHER // max(1, flat.shape[1]))
    for at in range(0, len(flat), count):
        some = flat[at : at + count]
        np.maximum(some, 0).sum(axis=1, dtype=np.int64, out=up[at : at + count])
        np.minimum(some, 0).sum(axis=1, dtype=np.int64, out=down[at : at + count])
    return up, down


def weighted_requant(
    weights: Array, bias: Array, source: TensorType, weight: TensorType, output: TensorType
) -> Requant:
    """Fold the input's zero point into the bias and prove the accumulator.

    Args:
        weights: int8, output channels on axis 0.
        bias: int32 [channels], scale ``s_in * s_w[c]``.
        source: type of the input activation.
        weight: type of the weights (per channel on axis 0, or per tensor; symmetric).
        output: type of the output.

    Raises:
        AccumulatorOverflow: an input exists for which the sum could overflow.
        ScaleError: a factor cannot be held, see :func:`requantize_factors`.
    """
    up, down = sums_by_sign(weights)
    folded = bias.astype(np.int64) - source.q.z * (up + down)
    reach = np.abs(folded) + source.dtype.reach * (up - down)
    if reach.max(initial=0) >= accumulator_limit(source.dtype) or not DType.INT32.holds(folded):
        raise AccumulatorOverflow(
            f"the accumulator of channel {int(reach.argmax())} could reach {int(reach.max()):,}",
            hint="split the layer, or train with smaller weights",
        )
    scales = np.broadcast_to(np.array(weight.q.scale), len(weights))
    multiplier, pre_shift = _factors(source.q.s, scales, output.q.s, reach)
    return Requant(
        bias=folded.astype(np.int32),
        multiplier=multiplier,
        pre_shift=pre_shift,
        accumulator_max=reach,
    )


def _factors(source: float, scales: Array, output: float, reach: Array) -> tuple[Array, Array]:
    """Multiplier and shift of each channel; only those that need a shift, or none has, alone."""
    with np.errstate(all="ignore"):  # what is no number is none of the plain ones
        real = source * scales / output
        whole = np.floor(real * 2.0**32 + 0.5)
        plain = (real > 0) & (whole > 0) & (whole < 2.0**31) & (reach * real < RESULT_LIMIT)
    multiplier, pre_shift = np.zeros(len(real), np.int32), np.zeros(len(real), np.uint8)
    multiplier[plain] = whole[plain]
    for channel in np.flatnonzero(~plain):
        found = _factors_of_channel(int(channel), float(real[channel]), int(reach[channel]))
        multiplier[channel], pre_shift[channel] = found
    return multiplier, pre_shift


def _factors_of_channel(channel: int, real: float, accumulator_max: int) -> tuple[int, int]:
    try:
        return requantize_factors(real, accumulator_max)
    except ScaleError as error:
        error.message = f"channel {channel}: {error.message}"
        raise
