# SPDX-License-Identifier: Apache-2.0
"""Numbers in groups that are joined: a union-find."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array

__all__ = ["DisjointSets"]


class DisjointSets:
    """Groups of the numbers from 0 on; each is known by the least number in it."""

    def __init__(self) -> None:
        """Start without numbers."""
        self._parent: list[int] = []

    def __len__(self) -> int:
        """Numbers so far."""
        return len(self._parent)

    def added(self, count: int) -> Array:
        """The next numbers, each in a group of its own."""
        start = len(self._parent)
        self._parent += range(start, start + count)
        return np.arange(start, start + count)

    def join(self, one: Array, other: Array) -> None:
        """Make one group of each number of the first with its counterpart."""
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            first, second = sorted((self._root(a), self._root(b)))
            self._parent[second] = first

    def roots(self) -> Array:
        """The group of every number."""
        return np.array([self._root(i) for i in range(len(self._parent))], np.int64)

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number
