# SPDX-License-Identifier: Apache-2.0
"""Ranges of activations, observed batch by batch, and the int8 grid for a range.

An observer is a value: ``updated`` gives the observer that has also seen some numbers,
``range`` what it would have a quantization cover, ``expected`` the same for samples to come.
None of them depends on the order in which the numbers came.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol, Self

import numpy as np

from mcuplan.errors import ScaleError
from mcuplan.ir.types import Array, DType, Quant

__all__ = [
    "FEW",
    "OBSERVERS",
    "Histogram",
    "MinMax",
    "Mse",
    "Observer",
    "Percentile",
    "Range",
    "quant_of_range",
]

Range = tuple[float, float]

FEW = 50
"""From so many samples on, the largest value seen is as large as those to come."""

_BINS = 4096
_SPREAD, _STUDENT = 3.0, 2.5  # standard deviations; the first term of Student's t in 1/n for them
_FARTHEST = 2.0  # times what was seen: one bit of resolution
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
        low, high = _limits(values)
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


def _limits(values: Array) -> Range:
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ScaleError(
            "the calibration data makes a value that is not finite",
            hint="check the inputs' preprocessing; the float model must give finite outputs",
        )
    return low, high


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of the values in bins of a power-of-two width, bin k = [k, k + 1) * width.

    Bins are anchored at zero, so widening merges pairs exactly: the histogram of a set of
    numbers does not depend on their order. Exact zeros are counted apart: every grid
    holds zero, so they cost nothing.
    """

    extent: MinMax = field(default_factory=MinMax)
    exponent: int = 0  # width = 2.0 ** exponent
    first: int = 0  # index of counts[0]
    counts: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    zeros: int = 0

    @property
    def width(self) -> float:
        """Width of a bin."""
        return math.ldexp(1.0, self.exponent)

    @property
    def total(self) -> int:
        """Values seen, zeros included."""
        return int(self.counts.sum()) + self.zeros

    def centres(self) -> Array:
        """Real value in the middle of each bin."""
        return (np.arange(len(self.counts)) + self.first + 0.5) * self.width

    def updated(self, values: Array) -> Histogram:
        """The histogram of these values too."""
        values = np.asarray(values, np.float64).reshape(-1)
        extent = self.extent.updated(values)
        others = values[values != 0.0]
        seen = replace(self, extent=extent, zeros=self.zeros + values.size - others.size)
        seen = seen._widened(_exponent(extent))
        low, high = extent.range()
        first = math.floor(low / seen.width)
        counts = np.zeros(math.floor(high / seen.width) - first + 1, np.int64)
        counts[seen.first - first :][: len(seen.counts)] += seen.counts
        index = np.floor(others / seen.width).astype(np.int64) - first
        counts += np.bincount(index, minlength=len(counts))
        return replace(seen, first=first, counts=counts)

    def _widened(self, exponent: int) -> Histogram:
        if exponent == self.exponent:
            return self
        if not self.counts.any():
            return replace(self, exponent=exponent, counts=self.counts[:0])
        index = (np.arange(len(self.counts)) + self.first) >> (exponent - self.exponent)
        counts = np.bincount(index - index[0], weights=self.counts).astype(np.int64)
        return replace(self, exponent=exponent, first=int(index[0]), counts=counts)


def _exponent(extent: MinMax) -> int:
    """Of the least power-of-two width with which the extent has at most ``_BINS`` bins."""
    low, high = extent.range()
    reach = max(abs(low), abs(high), _SMALLEST)
    exponent = math.frexp(max(high - low, reach * 2.0**-24) / _BINS)[1] - 1
    while math.floor(math.ldexp(high, -exponent)) - math.floor(math.ldexp(low, -exponent)) >= _BINS:
        exponent += 1
    return exponent


@dataclass(frozen=True, slots=True)
class Percentile:
    """Leaves out the same small share of the values at either end."""

    percent: float = 99.99  # of the values lie in the range
    histogram: Histogram = field(default_factory=Histogram)

    def expected(self) -> Range:
        """See Observer; what was left out is not expected."""
        return self.range()

    def updated(self, values: Array) -> Percentile:
        """See Observer."""
        return replace(self, histogram=self.histogram.updated(values))

    def range(self) -> Range:
        """See Observer; exact to the width of a bin, never beyond what was seen."""
        seen = self.histogram
        low, high = seen.extent.range()
        if len(seen.counts) == 0:
            return low, high
        tail = seen.total * (100.0 - self.percent) / 200.0
        counts = seen.counts.astype(np.float64)
        zero_bin = min(max(-seen.first, 0), len(counts) - 1)
        counts[zero_bin] += seen.zeros
        below = np.concatenate([[0.0], np.cumsum(counts)])
        edges = (np.arange(len(counts) + 1) + seen.first) * seen.width
        lower = edges[max(int(np.searchsorted(below, tail, side="right")) - 1, 0)]
        upper = edges[int(np.searchsorted(below, below[-1] - tail, side="left"))]
        return max(low, float(lower)), min(high, float(upper))


@dataclass(frozen=True, slots=True)
class Mse:
    """Clips where the squared error of rounding and clipping together is least.

    Inside the range an int8 grid errs by step**2 / 12 on average, and never by more than
    the value itself; outside by the distance to the end of the range.
    """

    histogram: Histogram = field(default_factory=Histogram)
    candidates: int = 96

    def expected(self) -> Range:
        """See Observer; the error was weighed already."""
        return self.range()

    def updated(self, values: Array) -> Mse:
        """See Observer."""
        return replace(self, histogram=self.histogram.updated(values))

    def range(self) -> Range:
        """See Observer."""
        seen = self.histogram
        low, high = (f(end, 0.0) for f, end in zip((min, max), seen.extent.range(), strict=True))
        if len(seen.counts) == 0 or high == low:
            return low, high
        share = np.linspace(1.0, 1.0 / self.candidates, self.candidates)
        lows, highs = low * share, high * share
        centres, counts = seen.centres(), seen.counts.astype(np.float64)
        cut_low = np.array([_cost(counts, end - centres) for end in lows])
        cut_high = np.array([_cost(counts, centres - end) for end in highs])
        step = (highs[None, :] - lows[:, None]) / DType.INT8.steps
        error = _rounding(counts, centres, step) + cut_low[:, None] + cut_high[None, :]
        i, j = np.unravel_index(int(np.argmin(error)), error.shape)
        return float(lows[i]), float(highs[j])


def _cost(counts: Array, beyond: Array) -> float:
    """Squared distance of what lies beyond an end of the range."""
    return float(np.sum(counts * np.maximum(beyond, 0.0) ** 2))


def _rounding(counts: Array, centres: Array, step: Array) -> Array:
    """Squared error of rounding to grids of some steps: the step's, or the value where less."""
    order = np.argsort(np.abs(centres), kind="stable")
    size, many = np.abs(centres)[order], counts[order]
    squares = np.concatenate([[0.0], np.cumsum(many * size**2)])
    below = np.concatenate([[0.0], np.cumsum(many)])
    small = np.searchsorted(size, step / np.sqrt(12.0))
    error: Array = squares[small] + (below[-1] - below[small]) * step**2 / 12.0
    return error


def quant_of_range(
    values: Range,
    dtype: DType = DType.INT8,
    *,
    symmetric: bool = False,
    headroom: float = 1.0,
    limits: bool = False,
) -> Quant:
    """The grid of a type that covers a range; zero lies on it exactly.

    The scale is a float32 value. A range without extent gets scale 1.

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
        return Quant.per_tensor(1.0, 0, dtype)
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


OBSERVERS: Mapping[str, Observer] = MappingProxyType(
    {"minmax": MinMax(), "percentile": Percentile(), "mse": Mse()}
)
"""Fresh observers by the name that users give."""
