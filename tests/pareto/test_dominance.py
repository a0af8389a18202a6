# SPDX-License-Identifier: Apache-2.0
"""The front is what comparing every pair finds, and does not take that long."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan.pareto.dominance import undominated


def _every_pair(points: list[tuple[float, ...]]) -> list[int]:
    def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    return [i for i, p in enumerate(points) if not any(beats(q, p) for q in points)]


@pytest.mark.parametrize("objectives", [1, 2, 3])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_front_is_what_no_point_beats(objectives: int, data: st.DataObject) -> None:
    """Ties of one value, and equal points, too: small integers meet often."""
    value = st.integers(-3, 3).map(float)
    points = data.draw(st.lists(st.tuples(*[value] * objectives), max_size=40))
    assert _every_pair(points) == undominated(points)


def test_many_points_that_are_all_on_the_front() -> None:
    """The worst case is sorted, not compared: in three objectives, too."""
    count = 30_000
    points = [(float(i), float(count - i), float(i % 7)) for i in range(count)]
    random.Random(7).shuffle(points)
    assert list(range(count)) == undominated(points)
