# SPDX-License-Identifier: Apache-2.0
"""Where a normalization runs: a layout that is held, and the view of it whose last axes count."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant
from mcuplan.ir.geometry import Shape
from mcuplan.ir.graph import Layout
from mcuplan.ir.types import Array

__all__ = ["Place", "along", "place_of", "spread", "wide"]


@dataclass(frozen=True, slots=True)
class Place:
    """A layout, and the view of it in which `Normalize` does what is wanted."""

    layout: Layout
    view: tuple[int, ...]
    whole: bool
    last: tuple[int, ...]  # axes of the model's tensor that the last one of the view is made of
    groups: int = 1


def wide(build: Builder, value: Constant | str, default: float, rank: int) -> Array | None:
    """A constant with as many axes as the tensor, those of one value of size 1."""
    known = build.constant(value) if isinstance(value, str) else value
    if known is None:
        return np.full((1,) * rank, default) if value == "" else None
    if known.data.ndim > rank:
        return None
    data = known.data.astype(np.float64)
    if data.size and bool((data == data.reshape(-1)[0]).all()):
        data = data.reshape(-1)[0]
    return data.reshape((1,) * (rank - data.ndim) + data.shape)


def along(values: Sequence[Array | None]) -> frozenset[int]:
    """Axes along which constants vary."""
    return frozenset(
        axis
        for value in values
        if value is not None
        for axis, size in enumerate(value.shape)
        if size > 1
    )


def spread(value: Array | None, shape: Shape, last: Sequence[int]) -> tuple[float, ...] | None:
    """A constant for each index of the last axis of a view; None where it varies along others."""
    if value is None or not along([value]) <= frozenset(last):
        return None
    others = [axis for axis in range(len(shape)) if axis not in last]
    moved = value.transpose([*others, *last]).reshape([value.shape[a] for a in last])
    full = np.broadcast_to(moved, [shape[a] for a in last])
    return tuple(float(v) for v in full.reshape(-1))


def place_of(
    build: Builder, name: str, axes: frozenset[int], groups: int, varying: frozenset[int]
) -> Place:
    """Where the axes are normalized without moving data, else where they come last.

    ``varying``: axes along which gains vary, which the operator takes if it can.
    """
    shape = build.shape(name)
    rank = len(shape)
    rows = (0, *range(2, rank), 1) if rank > 1 else (0,)
    last = (*(a for a in range(rank) if a not in axes), *sorted(axes))
    layouts = (*build.layouts(name), rows, last)
    for wanted in (varying, frozenset[int]()):
        for layout in layouts:
            for place in _seen(layout, shape, axes, groups):
                if wanted <= frozenset(place.last):
                    return place
    raise UnsupportedOp(f"{groups} groups of axis 1 of shape {list(shape)}")


def _seen(layout: Layout, shape: Shape, axes: frozenset[int], groups: int) -> Iterator[Place]:
    """Views of a layout that have the axes last, in front of the last, or around a group's."""
    order = [a for a in layout if a is not None and shape[a] != 1]
    if groups > 1:
        before = _in_front([a for a in order if a != 1], axes)
        if before is not None and 1 in axes and layout[-1] == 1:
            yield _blocks(layout, shape, before, axes, (1,), groups)
        return
    before = _in_front(order, axes)
    if before is not None:
        if len(order) - len(before) > 1:  # as many gains as channels
            yield _blocks(layout, shape, before, axes, (order[-1],), 1)
        sizes = tuple(1 if a is None else shape[a] for a in layout)
        values = math.prod(shape[a] for a in axes)
        view = sizes if sizes[-1:] == (values,) else (1, *(shape[a] for a in before), values)
        yield Place(layout, view, False, tuple(a for a in layout if a in axes))
        if before:  # gains of each group
            last = order[len(before) - 1 :]
            yield _blocks(layout, shape, before[:-1], axes, last, shape[last[0]])
        return
    tail = next((k for k, a in enumerate(reversed(order)) if a not in axes), 0)
    last = order[len(order) - 1 - tail :]
    before = _in_front(order[: -len(last)], axes)
    if before is not None:
        yield _blocks(layout, shape, before, axes, last, shape[last[0]])


def _blocks(
    layout: Layout,
    shape: Shape,
    before: Sequence[int],
    axes: frozenset[int],
    last: Sequence[int],
    groups: int,
) -> Place:
    """Pixels that are normalized together, with some axes behind them; ``before`` stand blocks."""
    sizes = tuple(1 if a is None else shape[a] for a in layout)
    inside = [a for a in axes if a not in last and shape[a] != 1]
    pixels = [math.prod(shape[a] for a in inside)] if inside else []
    view = (1, math.prod(shape[a] for a in before), *pixels, math.prod(shape[a] for a in last))
    kept = sizes[-2:] == view[-2:] and len(sizes) > 3
    return Place(layout, sizes if kept else view, bool(pixels), tuple(last), groups)


def _in_front(order: Sequence[int], axes: frozenset[int]) -> Sequence[int] | None:
    """The axes in front of those given, which are the last ones; None where they are not."""
    inside = [a in axes for a in order]
    count = len(order) - sum(inside)
    return None if any(inside[:count]) else order[:count]
