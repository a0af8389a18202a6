# SPDX-License-Identifier: Apache-2.0
"""Channels of an output by how wide they are, so that noise of wide ones hides no others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.graph import Graph, Node, Port
from mcuplan.ir.types import Array

__all__ = [
    "APART",
    "ENOUGH",
    "Bands",
    "Extents",
    "is_function",
    "of_one_unit",
    "shares_unit",
    "source_of",
]

APART = 8.0
"""Channels whose ranges differ by more than this factor are judged one by one."""

ENOUGH = 8
"""Values of a channel: fewer say nothing of it alone."""

_VARIES = 0.01  # of its range: what a channel has to say, at least
_FAINTEST = 2.0**-20  # of the widest: less is what an exporter's rounding leaves


def of_one_unit(graph: Graph, port: Port) -> bool:
    """Whether all elements of an output lie on one scale by what makes them.

    Indices and truth values, an input as it is, and what `shares_unit`.
    """
    given = port.tensor not in graph.producers()
    return port.is_choice or given or shares_unit(graph, port)


def shares_unit(graph: Graph, port: Port) -> bool:
    """Whether all elements of an output are results of one bounded function, as probabilities.

    Small ones are small against 1, not against themselves.
    """
    node = source_of(graph, port.tensor)
    if node is None or not is_function(graph, node):
        return node is not None and node.op.ranks_classes
    low, high = node.op.limits([(-math.inf, math.inf)])
    return -1 <= low <= high <= 1


def source_of(graph: Graph, tensor: str) -> Node | None:
    """The node that computes the values of a tensor, behind which they are only moved."""
    producers = graph.producers()
    node = producers.get(tensor)
    while node is not None and node.op.passes_grid:
        if len(graph.activations(node)) != 1:
            return node
        node = producers.get(graph.activations(node)[0])
    return node


def is_function(graph: Graph, node: Node) -> bool:
    """Whether each element is a function of one element."""
    return len(node.inputs) == 1 and graph.signature(node).is_elementwise


@dataclass(frozen=True, slots=True)
class Bands:
    """The band of each channel along an axis; without an axis all are one."""

    axis: int | None = None
    of: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many there are."""
        return max(self.of, default=0) + 1

    def sums(self, values: Array) -> list[float]:
        """The sum of the values of each band."""
        if self.axis is None:
            return [float(values.sum())]
        others = tuple(k for k in range(values.ndim) if k != self.axis)
        along = values.sum(axis=others)
        return [float(s) for s in np.bincount(self.of, along, self.count)]


class Extents:
    """Ends of an output along the axes that channels may lie on: the second and the last."""

    def __init__(self) -> None:
        self._ends: dict[int, tuple[Array, Array]] = {}
        self._values: dict[int, int] = {}

    def update(self, values: Array) -> None:
        """See the values of a sample."""
        for axis in sorted({min(1, values.ndim - 1), values.ndim - 1} - {0, -1}):
            others = tuple(k for k in range(values.ndim) if k != axis)
            low, high = values.min(axis=others), values.max(axis=others)
            if axis in self._ends:
                low = np.minimum(low, self._ends[axis][0])
                high = np.maximum(high, self._ends[axis][1])
            self._ends[axis] = low, high
            own = values.size // values.shape[axis]
            self._values[axis] = self._values.get(axis, 0) + own

    def bands(self) -> Bands:
        """Channels that differ by less than `APART` from the widest of their band."""
        found = [self._along(axis) for axis in self._ends if self._values[axis] >= ENOUGH]
        return max(found, key=lambda bands: bands.count, default=Bands())

    def _along(self, axis: int) -> Bands:
        low, high = self._ends[axis]
        width = np.maximum(high, 0.0) - np.minimum(low, 0.0)
        told = (high - low > _VARIES * width) & (width > _FAINTEST * width.max(initial=0.0))
        if not np.isfinite(width).all() or not told.any():
            return Bands()
        steps = np.log2(width[told].max() / np.where(told, width, width[told].max()))
        band = (np.maximum(steps, 0.0) / math.log2(APART)).astype(np.int64)
        return _numbered(axis, band.tolist())


def _numbered(axis: int, band: Sequence[int]) -> Bands:
    """Bands without gaps, the widest channels first."""
    order = {each: k for k, each in enumerate(sorted(set(band)))}
    return Bands(axis, tuple(order[each] for each in band)) if len(order) > 1 else Bands()
