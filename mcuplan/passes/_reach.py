# SPDX-License-Identifier: Apache-2.0
"""Channels whose sum or bias could overflow: constant ones are folded, others made coarser."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import AccumulatorOverflow
from mcuplan.ir.types import Array, Quant
from mcuplan.quant.requantize import (
    RESULT_LIMIT,
    accumulator_limit,
    act_limits,
    sums_by_sign,
)

__all__ = ["Sums", "within_reach"]

_LIMIT = 1 << 31
_STEPS_OFF = 0.25  # of the output, by which a coarser channel may differ from what it stands for
_FINE = 256  # steps of the sum to a step of the output, where a channel is constant


@dataclass(frozen=True, slots=True)
class Sums:
    """Weights int8 or int16 [channels, ...], a bias for each channel, and the scale of its weights.

    Biases are whole numbers in float64 and may be beyond int32.
    """

    weights: Array
    bias: Array
    scale: Array


def within_reach(
    sums: Sums, source: Quant, output: Quant, act: tuple[float, float]
) -> tuple[Sums, int]:
    """The same sums where int32 holds each for every input of 8 bits, and each bias of any.

    A channel that gives one output byte whatever the input becomes that constant: no weights,
    and a bias on a scale of its own. Another one whose bias is near the limit is rounded to a
    scale a few powers of two coarser, if that is below a quarter of a step of the output.

    Returns:
        The sums, and how many channels were changed.

    Raises:
        AccumulatorOverflow: neither is possible; the channel and its bias are named.
    """
    up, down = sums_by_sign(sums.weights)
    folded = sums.bias - source.z * (up + down)
    biases = np.maximum(np.abs(sums.bias), np.abs(folded))
    reach = np.maximum(biases, np.abs(folded) + source.dtype.reach * (up - down))
    real = source.s * sums.scale / output.s
    wide = (reach >= accumulator_limit(source.dtype)) | (biases >= _LIMIT)
    beyond = np.flatnonzero(wide | (reach * real >= RESULT_LIMIT)).tolist()
    if not beyond:
        return sums, 0
    weights, bias, scale = sums.weights.copy(), sums.bias.copy(), sums.scale.copy()
    limits = act_limits(output, act)
    changed = 0
    for c in beyond:
        taps = sums.weights[c].reshape(-1).astype(np.int64)
        byte = _constant(taps, int(folded[c]), float(real[c]), source, output, limits)
        if byte is not None:
            weights[c], bias[c] = 0, (byte - output.z) * _FINE
            scale[c] = np.float32(output.s / source.s / _FINE)
        elif wide[c]:
            shift = _coarser(taps, int(bias[c]), source, float(real[c]))
            if shift is None:
                raise AccumulatorOverflow(
                    f"the accumulator of channel {c} could reach {int(reach[c]):,}: its"
                    f" bias is {int(bias[c]):,} at a weight scale of {float(scale[c]):.3g}",
                    hint="quantize this layer again with a larger weight scale of that channel",
                )
            weights[c] = np.rint(weights[c] / 2.0**shift)
            bias[c], scale[c] = _halved(int(bias[c]), shift), scale[c] * 2.0**shift
        else:
            continue  # the factor is refused where it is made
        changed += 1
    return Sums(weights, bias, scale), changed


def _constant(
    weights: Array, bias: int, real: float, source: Quant, output: Quant, limits: tuple[int, int]
) -> int | None:
    """The output byte of a channel, if every input gives the same one."""
    up, down = int(np.maximum(weights, 0).sum()), int(np.minimum(weights, 0).sum())
    least, most = source.dtype.low, source.dtype.high
    ends = (bias + least * up + most * down, bias + most * up + least * down)
    bytes_ = {
        min(max(math.floor(end * real + 0.5) + output.z, limits[0]), limits[1]) for end in ends
    }
    return bytes_.pop() if len(bytes_) == 1 else None


def _coarser(weights: Array, bias: int, source: Quant, real: float) -> int | None:
    """By which power of two a channel fits, None where that is too coarse."""
    for shift in range(1, 1024):
        less = np.rint(weights / 2.0**shift).astype(np.int64)
        less_bias = _halved(bias, shift)
        folded = less_bias - source.z * int(less.sum())
        sums = source.dtype.reach * int(np.abs(less).sum())
        if max(abs(less_bias), abs(folded)) >= _LIMIT:
            continue
        if abs(folded) + sums >= accumulator_limit(source.dtype):
            continue
        lost = source.dtype.steps * int(np.abs(weights - (less << shift)).sum())
        lost += 1 << (shift - 1)
        return shift if lost * real <= _STEPS_OFF else None
    return None


def _halved(value: int, shift: int) -> int:
    return (value + (1 << (shift - 1))) >> shift
