# SPDX-License-Identifier: Apache-2.0
"""Which of many points no other point dominates, in O(n log n), for at most three objectives."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

__all__ = ["undominated"]

_Point = tuple[float, ...]


def undominated(points: Sequence[_Point]) -> list[int]:
    """Indices of the points that none is at least as good as in all and better in one, ascending.

    Equal points are all there.

    Args:
        points: of one, two or three finite values each, of which less is better.

    Source: Kung et al. 1975: by the first value, a staircase of the other two.
    """
    places: dict[_Point, list[int]] = {}
    for index, point in enumerate(points):
        places.setdefault(point, []).append(index)
    stairs = _Stairs()
    kept: list[int] = []
    for point in sorted(places):  # those that may dominate a point come before it
        second, third = (*point[1:], 0.0, 0.0)[:2]
        if stairs.put(second, third):
            kept += places[point]
    return sorted(kept)


class _Stairs:
    """Pairs of which none dominates another: the first ascends, the second descends."""

    def __init__(self) -> None:
        self._firsts: list[float] = []
        self._seconds: list[float] = []

    def put(self, first: float, second: float) -> bool:
        """Add a pair, unless one that is there is as good in both."""
        end = bisect_right(self._firsts, first)
        if end and self._seconds[end - 1] <= second:
            return False
        start = end - 1 if end and self._firsts[end - 1] == first else end
        end = start
        while end < len(self._seconds) and self._seconds[end] >= second:
            end += 1
        self._firsts[start:end] = [first]
        self._seconds[start:end] = [second]
        return True
