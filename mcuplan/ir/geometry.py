# SPDX-License-Identifier: Apache-2.0
"""Which elements of its inputs an operator makes an output element from: told once, by axes.

`Op.geometry` has one map for each axis of each input. Rows, columns, windows, receptive fields,
and what a layout or a channel passes through, are read off these maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = [
    "ALL",
    "ONWARD",
    "SAME",
    "All",
    "AxisMap",
    "Gathered",
    "InputMap",
    "Moved",
    "Onward",
    "Same",
    "Shape",
    "Spans",
    "Taps",
    "Window",
    "column_spans",
    "each",
    "hulls",
    "is_single",
    "maps_of",
    "moved",
    "over_last",
    "row_axis",
    "row_spans",
    "taken",
]

Shape = tuple[int, ...]

Spans = npt.NDArray[np.int64]
"""[outputs, spans, 2]: what each output index reads, as ``[first, end)``; some may be empty."""


@dataclass(frozen=True, slots=True)
class Same:
    """The index of the output on the same axis; the only one of an axis of size 1."""

    def spans(self, size: int, count: int) -> Spans:
        """One index each."""
        return _single(np.zeros(count, np.int64) if size == 1 else np.arange(count))


@dataclass(frozen=True, slots=True)
class Window:
    """Taps ``index * stride - before + t * dilation`` of the same axis, those that exist.

    One tap alone is a shift or a selection: ``before`` is then below 0 where the first
    elements are left out, ``stride`` where they are taken backwards.
    """

    size: int
    stride: int = 1
    dilation: int = 1
    before: int = 0

    @property
    def reach(self) -> int:
        """From the first tap to the last, both included."""
        return (self.size - 1) * self.dilation + 1

    def places(self, count: int) -> npt.NDArray[np.int64]:
        """Index of every tap, in the input or beside it: [outputs, taps]."""
        starts = np.arange(count) * self.stride - self.before
        return starts[:, None] + np.arange(self.size) * self.dilation

    def spans(self, size: int, count: int) -> Spans:
        """One span of all taps; a span for each where they lie apart."""
        taps = self.places(count)
        together = np.stack([taps[:, 0], taps[:, -1] + 1], -1)[:, None]
        return np.clip(together if self.dilation == 1 else _single(taps), 0, size)

    def taps(self, size: int, count: int) -> Taps:
        """How many taps of each window lie in the input."""
        return _taps(self, size, count)


@lru_cache(maxsize=1024)
def _taps(window: Window, size: int, count: int) -> Taps:
    spans = window.spans(size, count)
    counts = (spans[..., 1] - spans[..., 0]).sum(axis=1)
    return Taps(window.size, count, tuple(counts.tolist()))


@dataclass(frozen=True, slots=True)
class All:
    """Every index, whichever the output's is."""

    def spans(self, size: int, count: int) -> Spans:
        """All of the axis."""
        return np.tile(np.array([0, size]), (count, 1, 1))


@dataclass(frozen=True, slots=True)
class Onward:
    """The index of the output on the same axis; what lies before it came along in a state.

    Such rows are made once each and first to last.
    """

    def spans(self, size: int, count: int) -> Spans:
        """One index each."""
        return SAME.spans(size, count)


@dataclass(frozen=True, slots=True)
class Moved:
    """The index that the output has on another axis."""

    axis: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """A table: for each index of the output on the same axis, those read, as many for each."""

    indices: tuple[tuple[int, ...], ...]

    def spans(self, size: int, count: int) -> Spans:
        """One index each."""
        return _single(np.array(self.indices, np.int64))


AxisMap = Same | Window | All | Onward | Moved | Gathered
InputMap = tuple[AxisMap, ...]
"""A map for each axis of one input."""

SAME, ALL, ONWARD = Same(), All(), Onward()


@dataclass(frozen=True, slots=True)
class Taps:
    """Windows along one axis of all outputs.

    ``counts`` are the taps of each window that lie in the input.
    """

    kernel: int
    windows: int
    counts: tuple[int, ...]

    @property
    def inside(self) -> int:
        """Of all windows together."""
        return sum(self.counts)

    @property
    def whole(self) -> int:
        """Windows of which all taps do."""
        return sum(count == self.kernel for count in self.counts)


class _Operator(Protocol):
    """An operator, as far as it is looked at here."""

    def __hash__(self) -> int: ...
    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]: ...


def each(inputs: Sequence[Shape]) -> tuple[InputMap, ...]:
    """The maps of an operator whose elements depend on their own position alone."""
    return tuple((SAME,) * len(shape) for shape in inputs)


def over_last(inputs: Sequence[Shape]) -> tuple[InputMap, ...]:
    """The map of an operator of one input whose elements depend on all of the last axis."""
    return ((*each(inputs)[0][:-1], ALL),)


def moved(axis: int, to: int) -> AxisMap:
    """The map of an input's axis that is axis ``to`` of the output."""
    return SAME if axis == to else Moved(to)


def is_single(axis_map: AxisMap) -> bool:
    """Whether an output element reads at most one index of the axis."""
    if isinstance(axis_map, Window):
        return axis_map.size == 1
    if isinstance(axis_map, Gathered):
        return len(axis_map.indices[0]) == 1
    return axis_map not in (ALL, ONWARD)


def taken(indices: Iterable[int]) -> Gathered:
    """A table of one index for each of the output."""
    return Gathered(tuple((index,) for index in indices))


def row_axis(shape: Shape) -> int | None:
    """The axis whose indices kernels address one by one: H of [1,H,W,C], T of [1,T,C].

    None where a tensor is one row: a vector, or an axis 0 that is no batch of 1. What lies in
    another axis becomes rows by a pass that exchanges the two where one of them is 1.
    """
    return 1 if len(shape) > 2 and shape[0] == 1 else None


@lru_cache(maxsize=1 << 14)
def maps_of(op: _Operator, inputs: tuple[Shape, ...], output: Shape) -> tuple[InputMap, ...]:
    """The answer of an operator, worked out once."""
    return op.geometry(inputs, output)


@lru_cache(maxsize=1 << 12)
def row_spans(op: _Operator, index: int, inputs: tuple[Shape, ...], output: Shape) -> Spans:
    """Rows of an input that each row of the output is computed from."""
    source, axis = row_axis(inputs[index]), row_axis(output)
    size = 1 if source is None else inputs[index][source]
    count = 1 if axis is None else output[axis]
    if source is None or axis is None:
        return ALL.spans(size, count)
    axis_map = maps_of(op, inputs, output)[index][source]
    if isinstance(axis_map, Moved):
        return (SAME if axis_map.axis == axis else ALL).spans(size, count)
    return (axis_map if source == axis else ALL).spans(size, count)


def column_spans(
    op: _Operator, index: int, inputs: tuple[Shape, ...], output: Shape
) -> Spans | None:
    """Columns (axis 2) of an input that each of the output is computed from; None: any of them."""
    if min(len(inputs[index]), len(output)) < 3:
        return None
    axis_map = maps_of(op, inputs, output)[index][2]
    if isinstance(axis_map, All | Moved):
        return None
    return axis_map.spans(inputs[index][2], output[2])


def hulls(spans: Spans) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and end of all that each output index reads; equal where that is nothing."""
    empty = spans[..., 0] >= spans[..., 1]
    first = np.where(empty, np.iinfo(np.int64).max, spans[..., 0]).min(axis=1)
    end = np.where(empty, 0, spans[..., 1]).max(axis=1)
    return np.minimum(first, end), end


def _single(indices: Spans) -> Spans:
    """Spans of single indices [outputs] or [outputs, indices]."""
    flat = indices.reshape(len(indices), -1)
    return np.stack([flat, flat + 1], -1)
