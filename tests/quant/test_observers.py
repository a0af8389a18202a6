# SPDX-License-Identifier: Apache-2.0
"""Ranges do not depend on order, and grids hold zero and the range."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcuplan.errors import ScaleError
from mcuplan.ir.types import DType
from mcuplan.quant.histogram import (
    Clipped,
    Entropy,
    Histogram,
    Mse,
    Percentile,
)
from mcuplan.quant.named_observers import OBSERVERS as NAMED
from mcuplan.quant.named_observers import observer_named
from mcuplan.quant.observers import FEW, MinMax, MovingAverage, Observer, quant_of_range

FLOATS = st.floats(-(2.0**66), 2.0**66, width=32)
ARRAYS = hnp.arrays(np.float32, st.integers(1, 60), elements=FLOATS)
NAMES = [*NAMED, "percentile:90"]
OBSERVERS = [observer_named(name) for name in NAMES]


@pytest.mark.parametrize("observer", OBSERVERS, ids=NAMES)
@given(batches=st.lists(ARRAYS, min_size=1, max_size=5))
def test_order_of_batches_does_not_matter(observer: Observer, batches: list[np.ndarray]) -> None:
    """Any order and any split of the values into batches gives the same range."""
    forward, backward = observer, observer
    for batch in batches:
        forward = forward.updated(batch)
    for batch in reversed(batches):
        backward = backward.updated(batch[::-1])
    whole = observer.updated(np.concatenate(batches))
    assert whole.range() == forward.range() == backward.range()


@given(batches=st.lists(ARRAYS, min_size=1, max_size=5))
def test_a_histogram_counts_every_value_in_its_bin(batches: list[np.ndarray]) -> None:
    """No value is lost by widening, and each lies in the bin that counts it."""
    seen = Histogram()
    for batch in batches:
        seen = seen.updated(batch)
    values = np.concatenate(batches).astype(np.float64)
    assert values.size == seen.total
    index, counts = np.unique(np.floor(values[values != 0] / seen.width), return_counts=True)
    expected = np.zeros(len(seen.counts), np.int64)
    expected[index.astype(np.int64) - seen.first] = counts
    assert expected.tolist() == seen.counts.tolist()
    assert len(seen.counts) <= 4097


@pytest.mark.parametrize("observer", OBSERVERS, ids=NAMES)
@given(values=ARRAYS)
def test_a_range_stays_within_what_was_seen(observer: Observer, values: np.ndarray) -> None:
    """No observer invents values beyond the extremes (zero apart)."""
    low, high = observer.updated(values).range()
    assert min(0.0, float(values.min())) <= low <= high <= max(0.0, float(values.max()))


def test_percentile_drops_a_lone_outlier() -> None:
    """One value in 100,000 that is far out does not stretch the range; min-max follows it."""
    values = np.linspace(-1.0, 1.0, 100_000, dtype=np.float32)
    values[0] = 100.0
    assert Clipped(Percentile(99.9)).updated(values).range()[1] < 1.1
    assert 100.0 == MinMax().updated(values).range()[1]


def test_zeros_of_a_relu_do_not_move_the_clipping_point() -> None:
    """Exact zeros cost nothing on any grid, so the least error does not depend on them."""
    values = np.abs(np.random.default_rng(1).standard_normal(4096)).astype(np.float32)
    with_zeros = np.concatenate([values, np.zeros(100_000, np.float32)])
    assert Clipped(Mse()).updated(values).range() == Clipped(Mse()).updated(with_zeros).range()


@given(
    values=hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 5)), elements=FLOATS)
)
def test_a_moving_average_is_the_mean_of_the_ends(values: np.ndarray) -> None:
    """Of each sample the least and the largest value, averaged, whatever their magnitudes."""
    low, high = MovingAverage().updated(values).range()
    many = len(values)
    assert math.fsum(values.min(axis=1).tolist()) / many == pytest.approx(low, rel=1e-12)
    assert math.fsum(values.max(axis=1).tolist()) / many == pytest.approx(high, rel=1e-12)


def test_entropy_clips_what_says_little() -> None:
    """Of a bell with two far outliers the bell is kept; of evenly spread values, all of them."""
    bell = np.random.default_rng(5).normal(size=100_000).astype(np.float32)
    bell[:2] = -60.0, 60.0
    low, high = Clipped(Entropy()).updated(bell).range()
    assert -20.0 < low < -2.5
    assert 2.5 < high < 20.0
    even = np.linspace(-1.0, 1.0, 100_000, dtype=np.float32)
    assert Clipped(Entropy()).updated(even).range() == pytest.approx((-1.0, 1.0), abs=0.03)


@pytest.mark.parametrize("name", ["percentile:", "percentile:20", "minmax:3", "kl", "percentile:x"])
def test_a_name_of_no_observer_is_refused(name: str) -> None:
    """What users write is a name of the list, or a percentile from 50 to 100."""
    with pytest.raises(ValueError, match="one of minmax"):
        observer_named(name)


@pytest.mark.parametrize("tail", [1.0, 30.0, 3000.0])
def test_mse_clips_no_worse_than_min_max(tail: float) -> None:
    """Rounding the values themselves errs less with the MSE range, or nearly as little."""
    values = np.random.default_rng(0).laplace(size=20_000).astype(np.float32)
    values[:3] *= tail

    def error(observer: Observer) -> float:
        quant = quant_of_range(observer.updated(values).range())
        return float(np.mean((quant.dequantize(quant.quantize(values)) - values) ** 2))

    assert error(Clipped(Mse())) <= error(MinMax()) * 1.02


def test_nothing_seen_is_an_empty_range() -> None:
    """Before any value every observer answers (0, 0)."""
    assert [(0.0, 0.0)] * len(OBSERVERS) == [observer.range() for observer in OBSERVERS]


@pytest.mark.parametrize("observer", OBSERVERS, ids=NAMES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(observer: Observer, bad: float) -> None:
    """NaN and infinities never become a range."""
    with pytest.raises(ScaleError):
        observer.updated(np.array([1.0, bad], np.float32))


@given(low=FLOATS, high=FLOATS, symmetric=st.booleans())
def test_a_grid_holds_zero_and_reaches_both_ends(low: float, high: float, symmetric: bool) -> None:
    """Zero is exact, the scale is float32, the ends are at most half a step off."""
    low, high = min(low, high), max(low, high)
    quant = quant_of_range((low, high), symmetric=symmetric)
    assert quant.s == float(np.float32(quant.s)) > 0
    assert -128 <= quant.z <= 127
    ends = np.array([min(low, 0.0), max(high, 0.0)])
    error = np.abs(quant.dequantize(quant.quantize(ends)) - ends)
    assert error.max() <= quant.s * 0.5001 + np.abs(ends).max() * 1e-6
    assert 0.0 == quant.dequantize(quant.quantize(np.zeros(1)))[0]


def test_headroom_widens_the_range() -> None:
    """With a headroom of 2 the grid covers twice the range."""
    tight, wide = quant_of_range((0.0, 1.0)), quant_of_range((0.0, 1.0), headroom=2.0)
    assert wide.s == pytest.approx(2 * tight.s)
    assert (tight.z, wide.z) == (-128, -128)


@pytest.mark.parametrize("values", [(0.0, 0.0), (0.0, 1e-45), (-1e-44, 0.0)])
def test_a_range_without_extent_gets_scale_one(values: tuple[float, float]) -> None:
    """A tensor that is always zero has a harmless scale, of int16 over the same range."""
    assert (1.0, 0) == (quant_of_range(values).s, quant_of_range(values).z)
    wide = quant_of_range(values, DType.INT16, symmetric=True)
    assert (2.0**-8, 0) == (wide.s, wide.z)


@pytest.mark.parametrize("values", [(0.0, math.inf), (math.nan, 1.0), (-1e300, 1e300)])
def test_an_impossible_range_is_refused(values: tuple[float, float]) -> None:
    """No float32 scale covers it: a ScaleError, not a scale of infinity."""
    with pytest.raises(ScaleError):
        quant_of_range(values)


@given(
    values=hnp.arrays(np.float32, st.tuples(st.integers(1, 60), st.integers(1, 5)), elements=FLOATS)
)
def test_what_is_expected_holds_what_was_seen(values: np.ndarray) -> None:
    """At most twice as far, the same in any order, and no further from enough samples."""
    seen = MinMax().updated(values)
    low, high = seen.expected()
    assert min(2 * seen.low, seen.low) <= low <= seen.low
    assert seen.high <= high <= max(2 * seen.high, seen.high)
    other = MinMax().updated(values[1::2]) if len(values) > 1 else MinMax()
    assert (low, high) == other.updated(values[::2]).expected()
    if len(values) >= FEW:
        assert seen.range() == (low, high)


def test_few_samples_that_differ_are_not_all() -> None:
    """Of 16 draws of a normal value the largest is passed by others; by spread, hardly any."""
    draws = np.random.default_rng(3).normal(size=(300, 17)).astype(np.float32)
    beyond = np.zeros(2)
    for row in draws:
        seen = MinMax().updated(row[:16])
        beyond += [row[16] > end for end in (seen.range()[1], seen.expected()[1])]
    assert beyond[0] >= 10
    assert 4 * beyond[1] < beyond[0]
    alike = MinMax().updated(np.full((16, 4), 0.5, np.float32))
    assert (0.5, 0.5) == alike.expected()
