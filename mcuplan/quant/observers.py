# SPDX-License-Identifier: Apache-2.0
"""Ranges of activations, observed batch by batch, and the int8 grid for a range.

An observer is a value: ``updated`` gives the observer that has also seen some numbers,
``range`` what it would have a quantization cover, ``expected`` the same for samples to come.
None of them depends on the order in which the numbers came, and none grows with them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from mcuplan.errors import ScaleError
from mcuplan.ir.types import Array, DType, Quant

__all__ = [
    "FEW",
    "MinMax",
    "MovingAverage",
    "Observer",
    "Range",
    "limits_of",
    "quant_of_range",
]

Range = tuple[float, float]

FEW = 50
"""From so many samples on, the largest value seen is as large as those to come."""

_SPREAD, _STUDENT = 3.0, 2.5  # standard deviations; the first term of Student's t in 1/n for them
_FARTHEST = 2.0  # times what was seen: one bit of resolution
_LEAST_BIT = 1074  # of a float64, below 1
_SMALLEST = float(np.finfo(np.float32).tiny)


class Observer(Protocol):
    """Sees numbers and chooses a range."""

    def updated(self, values: Array) -> Self:
        """The observer that has seen these values too ([samples, ...], finite)."""

    def range(self) -> Range:
        """(min, max) in real units; (0, 0) before any value was seen."""

    def expected(self) -> Range:
        """The range for samples to come: wider where few were seen, and they differ."""


@dataclass(frozen=True, slots=True)
class MinMax:
    """Covers everything that was seen. ``samples``: ends of each one, the first ``FEW``."""

    low: float = math.inf
    high: float = -math.inf
    samples: tuple[Range, ...] = ()

    def updated(self, values: Array) -> MinMax:
        """See Observer."""
        if values.size == 0:
            return self
        low, high = limits_of(values)
        each = values[: FEW - len(self.samples)].reshape(-1, values[0].size).astype(np.float64)
        ends = zip(each.min(axis=1).tolist(), each.max(axis=1).tolist(), strict=True)
        return MinMax(min(self.low, low), max(self.high, high), (*self.samples, *ends))

    def range(self) -> Range:
        """See Observer."""
        return (self.low, self.high) if self.low <= self.high else (0.0, 0.0)

    def expected(self) -> Range:
        """Of fewer than ``FEW`` samples: as far as their ends spread, at most twice the range.

        A normal distribution has one in 740 beyond three standard deviations.
        """
        low, high = self.range()
        if not 0 < len(self.samples) < FEW:
            return low, high
        return -_spread([-end for end, _ in self.samples]), _spread([e for _, e in self.samples])


def _spread(ends: Sequence[float]) -> float:
    """Where the upper end of another sample lies at most, to all that these show."""
    top, count = max(ends), len(ends)
    if top <= 0.0:
        return top
    if count == 1:
        return _FARTHEST * top
    mean = math.fsum(ends) / count
    deviation = math.sqrt(math.fsum((end - mean) ** 2 for end in ends) / (count - 1))
    times = _SPREAD * (1.0 + _STUDENT / (count - 1)) * math.sqrt(1.0 + 1.0 / count)
    return min(max(top, mean + times * deviation), _FARTHEST * top)


def limits_of(values: Array) -> Range:
    """Least and largest of some values.

    Raises:
        ScaleError: one is not finite.
    """
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ScaleError(
            "the calibration data makes a value that is not finite",
            hint="check the inputs' preprocessing; the float model must give finite outputs",
        )
    return low, high


@dataclass(frozen=True, slots=True)
class MovingAverage:
    """Ends of the samples, averaged over all that were seen.

    As `CalibMovingAverage` of ONNX Runtime's static quantizer has it. The sums are exact, in
    units of the least float64: no order changes them.
    """

    lows: int = 0
    highs: int = 0
    count: int = 0

    def updated(self, values: Array) -> MovingAverage:
        """See Observer."""
        if values.size == 0:
            return self
        limits_of(values)
        each = values.reshape(len(values), -1).astype(np.float64)
        lows, highs = (_exact_sum(ends) for ends in (each.min(axis=1), each.max(axis=1)))
        return MovingAverage(self.lows + lows, self.highs + highs, self.count + len(each))

    def range(self) -> Range:
        """See Observer."""
        many = max(self.count, 1) << _LEAST_BIT
        return self.lows / many, self.highs / many

    def expected(self) -> Range:
        """See Observer; single samples are to go beyond it."""
        return self.range()


def _exact_sum(values: Array) -> int:
    """A sum of float64 values in units of 2**-1074."""
    parts = (value.as_integer_ratio() for value in values.tolist())
    return sum(n * ((1 << _LEAST_BIT) // d) for n, d in parts)


def quant_of_range(
    values: Range,
    dtype: DType = DType.INT8,
    *,
    symmetric: bool = False,
    headroom: float = 1.0,
    limits: bool = False,
) -> Quant:
    """The grid of a type that covers a range; zero lies on it exactly.

    The scale is a float32 value. A range without extent gets scale 1, and where
    there are more steps as many more in it: readers of it must still find a scale of theirs.

    Args:
        values: (min, max); widened to hold 0.
        dtype: in which the integers are stored.
        symmetric: zero point 0, and no use of the least integer.
        headroom: factor by which the range is widened, for inputs that go beyond the
            calibration data.
        limits: both ends of the range round to ends of the grid, so that a clamp to the
            range needs nothing else.

    Raises:
        ScaleError: the range is not finite, or the headroom is not positive.
    """
    low, high = min(values[0], 0.0) * headroom, max(values[1], 0.0) * headroom
    if not (math.isfinite(low) and math.isfinite(high) and headroom > 0.0):
        raise ScaleError(f"no scale can cover the range {values} with headroom {headroom}")
    span = max(-low, high) / dtype.high if symmetric else (high - low) / dtype.steps
    if span < _SMALLEST:
        return Quant.per_tensor(math.ldexp(1.0, -max(0, dtype.bits - 8)), 0, dtype)
    with np.errstate(over="ignore"):
        scale = float(np.float32(span))
    if not math.isfinite(scale):
        raise ScaleError(f"no float32 scale can cover the range {values}")
    if symmetric:
        return Quant.per_tensor(scale, 0, dtype)
    found = _asymmetric(low, scale, dtype)
    ends = found.quantize(np.array([low, high])).tolist()
    if limits and ends != [dtype.low, dtype.high]:  # one lies halfway between steps
        smaller = float(np.nextafter(np.float32(scale), np.float32(0.0)))
        found = _asymmetric(low, smaller, dtype)
    return found


def _asymmetric(low: float, scale: float, dtype: DType) -> Quant:
    zero_point = round(dtype.low - low / scale)
    return Quant.per_tensor(scale, min(max(zero_point, dtype.low), dtype.high), dtype)
