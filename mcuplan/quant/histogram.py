# SPDX-License-Identifier: Apache-2.0
"""Ranges that clip: a histogram of all values, and rules that choose both ends from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from mcuplan.ir.types import Array, DType
from mcuplan.quant.observers import MinMax, Range

__all__ = [
    "Clipped",
    "Entropy",
    "Histogram",
    "Mse",
    "Percentile",
    "Rule",
]

_BINS = 4096
_UNTOLD = 1e-9  # of all values, in a bin that the grid says is empty
_SMALLEST = float(np.finfo(np.float32).tiny)


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


class Rule(Protocol):
    """Chooses a range from a histogram."""

    def ends(self, seen: Histogram) -> Range:
        """(min, max) in real units, never beyond what was seen but for 0."""


@dataclass(frozen=True, slots=True)
class Clipped:
    """An observer that covers what a rule says of all values."""

    rule: Rule
    histogram: Histogram = field(default_factory=Histogram)

    def updated(self, values: Array) -> Clipped:
        """See Observer."""
        return replace(self, histogram=self.histogram.updated(values))

    def range(self) -> Range:
        """See Observer."""
        return self.rule.ends(self.histogram)

    def expected(self) -> Range:
        """See Observer; what was left out is not expected."""
        return self.range()


@dataclass(frozen=True, slots=True)
class Percentile:
    """Leaves out the same small share of the values at either end."""

    percent: float = 99.99  # of the values lie in the range

    def ends(self, seen: Histogram) -> Range:
        """See Rule; exact to the width of a bin."""
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

    candidates: int = 96

    def ends(self, seen: Histogram) -> Range:
        """See Rule."""
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


@dataclass(frozen=True, slots=True)
class Entropy:
    """Clips where the distribution on the grid says most of that of the values.

    The least Kullback-Leibler divergence of the values, those beyond the range at its ends, from
    what one height for each step of the grid tells of them; both ends move together.

    Source: Migacz, 8-bit inference with TensorRT, 2017.
    """

    candidates: int = 96

    def ends(self, seen: Histogram) -> Range:
        """See Rule."""
        low, high = (f(end, 0.0) for f, end in zip((min, max), seen.extent.range(), strict=True))
        if not seen.counts.any() or high == low:
            return low, high
        shares = np.linspace(1.0, 1.0 / self.candidates, self.candidates)
        apart = [_divergence(seen, low * share, high * share) for share in shares]
        best = float(shares[int(np.argmin(apart))])
        return low * best, high * best


def _divergence(seen: Histogram, low: float, high: float) -> float:
    """Bits lost by the values of a histogram, zeros apart, on a grid of int8 from low to high."""
    steps, centres = DType.INT8.steps, seen.centres()
    index = np.rint((centres - low) * (steps / (high - low)))
    inside = (index >= 0) & (index <= steps)
    places = np.clip(index, 0, steps).astype(np.int64)
    used = seen.counts > 0
    within = np.where(inside, seen.counts, 0).astype(np.float64)
    heights = np.bincount(places, within, steps + 1)
    widths = np.bincount(places, inside & used, steps + 1)
    told = np.where(inside & used, heights[places] / np.maximum(widths[places], 1.0), 0.0)
    beyond = seen.counts * ~inside
    found = within + _at_the_ends(inside, beyond)
    held = found > 0
    if not told.any():
        return math.inf
    p, q = found[held] / found.sum(), np.maximum(told[held] / told.sum(), _UNTOLD)
    return float(np.sum(p * np.log2(p / q)))


def _at_the_ends(inside: Array, beyond: Array) -> Array:
    """What lies beyond a range, counted in the first and the last bin of it."""
    moved = np.zeros(len(inside))
    bins = np.flatnonzero(inside)
    if len(bins):
        moved[bins[0]] = beyond[: bins[0]].sum()
        moved[bins[-1]] += beyond[bins[-1] + 1 :].sum()
    return moved


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
